import WebAssets

/// Who may use the dashboard, and what for. Decides from texts alone.
///
/// Any program of the machine and any page in the browser can send requests to the port. So a request has to name the port's own
/// host (a name of somebody else's that resolves to 127.0.0.1 does not: DNS rebinding), must not come from a page of another
/// origin, and needs the session that the one-time token brought. A change needs the session's second secret as well, which
/// pages of others cannot read.
package struct DashboardGate: Sendable {
    /// What is looked at of a request.
    package struct Request: Sendable {
        package var method = "GET"
        /// Path and query as sent.
        package var target = "/"
        package var hosts: [String] = []
        package var origins: [String] = []
        package var fetchSite: String?
        package var cookies: [String] = []
        package var contentType: String?
        package var csrf: String?

        package init() {}
    }

    package enum Verdict: Sendable {
        /// The token is right: the cookie is set, and the browser sent to `/`.
        case enter(cookie: String)
        case document
        case asset(WebAsset)
        /// What the page may do; `nil`: only look.
        case session(csrf: String?)
        case call(DashboardCall)
        case refuse(DashboardCall.Refusal)
    }

    /// The name of the field with a session's second secret.
    package static let csrfField = "X-Wsd-Csrf"

    private struct Session {
        var cookie: String
        var csrf: String
    }

    private let hosts: Set<String>
    private let cookieName: String
    private let isReadOnly: Bool
    private let makeSecret: @Sendable () -> String
    private var token: String?
    private var sessions: [Session] = []

    /// - Parameter makeSecret: random text of the alphabet of ``secret()``, another one each time.
    package init(port: Int, isReadOnly: Bool, makeSecret: @escaping @Sendable () -> String = Self.secret) {
        hosts = ["127.0.0.1:\(port)", "localhost:\(port)"]
        // A host's cookies are those of all its ports.
        cookieName = "wsd_dashboard_\(port)"
        self.isReadOnly = isReadOnly
        self.makeSecret = makeSecret
    }

    /// A token that lets one browser in. The one before, if nobody used it, does so no more.
    package mutating func newToken() -> String {
        let token = makeSecret()
        self.token = token
        return token
    }

    package mutating func decide(_ request: Request) -> Verdict {
        do throws(DashboardCall.Refusal) {
            return try admitted(request)
        } catch {
            return .refuse(error)
        }
    }

    private mutating func admitted(_ request: Request) throws(DashboardCall.Refusal) -> Verdict {
        try checkSender(request)
        let parts = request.target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let (path, query) = (parts[0], parts.count == 2 ? String(parts[1]) : nil)
        let session = session(of: request)
        let isRead = request.method == "GET" || request.method == "HEAD"
        if path == "/", request.method == "GET", let given = Self.token(in: query) {
            return try enter(with: given, session)
        }
        guard let session else { throw .noSession }
        if !isRead { try checkChange(request, session) }
        switch path {
        case "/" where isRead: return .document
        case "/api/session" where isRead: return .session(csrf: isReadOnly ? nil : session.csrf)
        case _ where path.hasPrefix("/pages/") && isRead:
            guard let asset = WebPage.dashboard.parts.first(where: { $0.name == path.dropFirst("/pages/".count) })
            else { throw .nothingHere }
            return .asset(asset)
        case _ where path.hasPrefix("/api/"):
            return .call(
                try DashboardCall(
                    method: request.method, name: path.dropFirst("/api/".count), query: query, mayChange: !isReadOnly))
        default: throw .nothingHere
        }
    }

    /// Fetch Metadata (w3.org/TR/fetch-metadata): `none` is an address that somebody typed or opened from outside.
    private func checkSender(_ request: Request) throws(DashboardCall.Refusal) {
        guard request.hosts.count == 1, hosts.contains(request.hosts[0].lowercased()) else { throw .foreignHost(hosts) }
        guard ["none", "same-origin"].contains(request.fetchSite ?? "none") else { throw .foreignPage }
        let own = "http://" + request.hosts[0].lowercased()
        guard request.origins.allSatisfy({ $0.lowercased() == own }) else { throw .foreignPage }
    }

    private func checkChange(_ request: Request, _ session: Session) throws(DashboardCall.Refusal) {
        // Browsers name the origin of every POST.
        guard request.origins.count == 1 else { throw .foreignPage }
        guard request.contentType?.lowercased().hasPrefix("application/json") ?? false else {
            throw DashboardCall.Refusal(
                415, "bad_request", "A change is asked for with Content-Type: application/json.")
        }
        guard !isReadOnly else {
            throw DashboardCall.Refusal(
                403, "forbidden", "This dashboard only shows: it was started with --read-only.")
        }
        guard let csrf = request.csrf, Self.areEqual(csrf, session.csrf) else {
            throw DashboardCall.Refusal(
                403, "forbidden", "The field \(Self.csrfField) is missing or wrong: load the page again.")
        }
    }

    private mutating func enter(with given: String, _ session: Session?) throws(DashboardCall.Refusal) -> Verdict {
        if let token, Self.areEqual(given, token) {
            self.token = nil
            let session = Session(cookie: makeSecret(), csrf: makeSecret())
            if sessions.count == DashboardLimits.sessions { sessions.removeFirst() }
            sessions.append(session)
            return .enter(cookie: "\(cookieName)=\(session.cookie); Path=/; HttpOnly; SameSite=Strict")
        }
        // Opened once more where it was opened before.
        guard let session else { throw .spentToken }
        return .enter(cookie: "\(cookieName)=\(session.cookie); Path=/; HttpOnly; SameSite=Strict")
    }

    private func session(of request: Request) -> Session? {
        for field in request.cookies {
            for pair in field.split(separator: ";") {
                let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
                guard parts.count == 2, parts[0] == cookieName else { continue }
                if let session = sessions.first(where: { Self.areEqual(String(parts[1]), $0.cookie) }) {
                    return session
                }
            }
        }
        return nil
    }

    private static func token(in query: String?) -> String? {
        for pair in (query ?? "").split(separator: "&") where pair.hasPrefix("token=") {
            return String(pair.dropFirst("token=".count))
        }
        return nil
    }

    /// In a time that does not tell how much of it is right.
    private static func areEqual(_ given: String, _ expected: String) -> Bool {
        guard given.utf8.count == expected.utf8.count else { return false }
        return zip(given.utf8, expected.utf8).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// 64 hexadecimal digits from the system's random numbers.
    package static func secret() -> String {
        let digits = Array("0123456789abcdef".utf8)
        var generator = SystemRandomNumberGenerator()
        var text: [UInt8] = []
        for _ in 0..<DashboardLimits.secret {
            let byte = UInt8.random(in: .min ... .max, using: &generator)
            text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension DashboardCall.Refusal {
    fileprivate static func foreignHost(_ hosts: Set<String>) -> Self {
        Self(
            403, "forbidden",
            "The dashboard is only at http://\(hosts.sorted().joined(separator: " and http://")): another name may be an attack."
        )
    }

    fileprivate static let foreignPage = Self(
        403, "forbidden",
        "Another page sent this request. Open the address of the dashboard by pasting it into the address line.")

    fileprivate static let noSession = Self(
        403, "forbidden",
        "This browser has not been let in. Open the address that `wsctl dashboard` printed, with its token; each address works once, and Enter in that terminal prints another one."
    )

    fileprivate static let spentToken = Self(
        403, "forbidden",
        "This address has been used, or was replaced by a newer one. Press Enter in the terminal where `wsctl dashboard` runs for another one."
    )

    fileprivate static let nothingHere = Self(404, "not_found", "The dashboard has nothing under this path.")
}
