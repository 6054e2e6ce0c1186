import Synchronization
import Testing
import WebAssets

@testable import Dashboard

/// A gate with secrets `s1`, `s2`, … in the order in which they are made: the first token is `s1`.
private struct Visit {
    var gate: DashboardGate
    var request = DashboardGate.Request()

    init(isReadOnly: Bool = false) {
        let count = Counter()
        gate = DashboardGate(port: 8090, isReadOnly: isReadOnly) { "s\(count.next())" }
        _ = gate.newToken()
        request.hosts = ["127.0.0.1:8090"]
    }

    private final class Counter: Sendable {
        private let value = Mutex(0)
        func next() -> Int {
            value.withLock { value in
                value += 1
                return value
            }
        }
    }

    /// Let in, with the cookie `s2` and the second secret `s3`.
    static func inside(isReadOnly: Bool = false) -> Visit {
        var visit = Visit(isReadOnly: isReadOnly)
        _ = visit.verdict("/?token=s1")
        visit.request.cookies = ["theme=dark; wsd_dashboard_8090=s2"]
        return visit
    }

    mutating func verdict(_ target: String, _ method: String = "GET") -> DashboardGate.Verdict {
        request.target = target
        request.method = method
        return gate.decide(request)
    }

    /// The status of a refusal; `nil`: it was none.
    mutating func refusal(_ target: String, _ method: String = "GET") -> Int? {
        guard case .refuse(let refusal) = verdict(target, method) else { return nil }
        return refusal.status
    }

    /// A change as the page asks for it.
    mutating func change() {
        request.origins = ["http://127.0.0.1:8090"]
        request.fetchSite = "same-origin"
        request.contentType = "application/json"
        request.csrf = "s3"
    }
}

extension DashboardGate.Verdict {
    fileprivate var label: String {
        switch self {
        case .enter(let cookie): "enter \(cookie)"
        case .document: "document"
        case .asset(let asset): asset.name
        case .session(let csrf): "session \(csrf ?? "that only looks")"
        case .call(let call): "\(call.isChange ? "POST" : "GET") \(call.target)"
        case .refuse(let refusal): "\(refusal.status)"
        }
    }
}

@Suite struct DashboardGateTests {
    @Test func tokenLetsOneBrowserIn() {
        var visit = Visit()
        #expect(visit.refusal("/") == 403)
        #expect(visit.refusal("/?token=s2") == 403)
        #expect(visit.refusal("/?token=") == 403)
        let cookie = "wsd_dashboard_8090=s2; Path=/; HttpOnly; SameSite=Strict"
        #expect(visit.verdict("/?token=s1").label == "enter \(cookie)")
        #expect(visit.refusal("/?token=s1") == 403, "spent")
        #expect(visit.refusal("/") == 403, "no cookie")
        visit.request.cookies = ["wsd_dashboard_8090=s2"]
        #expect(visit.verdict("/").label == "document")
        // The same browser opens the address of its history: it is in already.
        #expect(visit.verdict("/?token=s1").label.hasPrefix("enter "), "thrown out")
    }

    @Test func tokenIsSpentByNothingElse() {
        var visit = Visit()
        #expect(visit.refusal("/?token=s1", "HEAD") == 403)
        #expect(visit.refusal("/?token=s1", "POST") == 403)
        #expect(visit.refusal("/pages/dashboard.js?token=s1") == 403)
        visit.request.hosts = ["evil.example:8090"]
        #expect(visit.refusal("/?token=s1") == 403)
        visit.request.hosts = ["127.0.0.1:8090"]
        #expect(visit.verdict("/?token=s1").label.hasPrefix("enter "), "spent")
    }

    @Test func newTokenReplacesTheOneBefore() {
        var visit = Visit()
        let second = visit.gate.newToken()
        #expect(visit.refusal("/?token=s1") == 403)
        #expect(visit.refusal("/?token=\(second)") == nil)
    }

    @Test(arguments: [
        [], ["evil.example"], ["evil.example:8090"], ["127.0.0.1"], ["127.0.0.1:8091"], ["127.0.0.1:8090."],
        ["127.0.0.1:8090", "evil.example"], ["127.0.0.1:8090", "127.0.0.1:8090"], ["0.0.0.0:8090"], ["[::1]:8090"],
    ])
    func refusesForeignHosts(_ hosts: [String]) {
        var visit = Visit.inside()
        visit.request.hosts = hosts
        for target in ["/", "/api/status", "/pages/wsd.css", "/?token=s1"] { #expect(visit.refusal(target) == 403) }
    }

    @Test func localhostIsItsNameToo() {
        var visit = Visit.inside()
        visit.request.hosts = ["LocalHost:8090"]
        #expect(visit.refusal("/") == nil)
        visit.change()
        #expect(visit.refusal("/api/reload", "POST") == 403, "the page of the other name")
        visit.request.origins = ["http://localhost:8090"]
        #expect(visit.refusal("/api/reload", "POST") == nil)
    }

    @Test(arguments: ["cross-site", "same-site", "nonsense", ""])
    func refusesPagesOfOthers(_ site: String) {
        var visit = Visit.inside()
        visit.request.fetchSite = site
        for target in ["/", "/api/status", "/?token=s1"] { #expect(visit.refusal(target) == 403) }
    }

    @Test(arguments: [
        "null", "http://evil.example", "http://127.0.0.1:9000", "https://127.0.0.1:8090", "http://127.0.0.1",
    ])
    func refusesOtherOrigins(_ origin: String) {
        var visit = Visit.inside()
        visit.request.origins = [origin]
        #expect(visit.refusal("/api/status") == 403)
        visit.change()
        visit.request.origins = [origin]
        #expect(visit.refusal("/api/reload", "POST") == 403)
    }

    @Test(arguments: [
        "wsd_dashboard_8090=s9", "wsd_dashboard_8090=", "wsd_dashboard_8091=s2", "s2", "wsd_dashboard_8090=s22",
    ])
    func refusesOtherCookies(_ cookie: String) {
        var visit = Visit.inside()
        visit.request.cookies = [cookie]
        for target in ["/", "/api/session", "/api/status", "/pages/wsd.css"] { #expect(visit.refusal(target) == 403) }
    }

    @Test func serves() {
        var visit = Visit.inside()
        #expect(visit.verdict("/", "HEAD").label == "document")
        #expect(visit.verdict("/pages/dashboard.js").label == "dashboard.js")
        #expect(visit.verdict("/api/session").label == "session s3")
        #expect(visit.verdict("/api/stats?follow=1s").label == "GET /v1/stats?follow=1s")
        for target in ["/pages/test.js", "/pages/../x", "/index.html", "/favicon.ico", "/api/stop", "/api/"] {
            #expect(visit.refusal(target) == 404, "\(target)")
        }
    }

    @Test func changes() {
        var visit = Visit.inside()
        visit.change()
        #expect(visit.verdict("/api/restart?worker=1", "POST").label == "POST /v1/restart?worker=1")
        #expect(visit.refusal("/", "POST") == 404)
        #expect(visit.refusal("/api/session", "POST") == 404)
        #expect(visit.refusal("/api/reload") == 405)
    }

    @Test func changeNeedsAllProofs() {
        let spoils: [(String, (inout DashboardGate.Request) -> Void, Int)] = [
            ("no origin", { $0.origins = [] }, 403), ("two origins", { $0.origins += $0.origins }, 403),
            ("no secret", { $0.csrf = nil }, 403), ("the cookie's secret", { $0.csrf = "s2" }, 403),
            ("a form", { $0.contentType = "text/plain" }, 415), ("no type", { $0.contentType = nil }, 415),
            ("no cookie", { $0.cookies = [] }, 403),
        ]
        for (name, spoil, status) in spoils {
            var visit = Visit.inside()
            visit.change()
            spoil(&visit.request)
            #expect(visit.refusal("/api/reload", "POST") == status, "\(name)")
        }
    }

    @Test func readOnlyChangesNothing() {
        var visit = Visit.inside(isReadOnly: true)
        #expect(visit.verdict("/api/session").label == "session that only looks")
        #expect(visit.refusal("/api/status") == nil)
        visit.change()
        for name in ["reload", "restart", "scale"] { #expect(visit.refusal("/api/\(name)", "POST") == 403) }
    }

    @Test func sessionsAreBounded() {
        var visit = Visit.inside()
        for _ in 0..<DashboardLimits.sessions - 1 {
            let token = visit.gate.newToken()
            #expect(visit.refusal("/?token=\(token)") == nil)
        }
        #expect(visit.refusal("/") == nil)
        let token = visit.gate.newToken()
        #expect(visit.refusal("/?token=\(token)") == nil)
        #expect(visit.refusal("/") == 403, "the first one")
    }

    @Test func secretsAreLongAndDiffer() {
        let secrets = (0..<100).map { _ in DashboardGate.secret() }
        #expect(Set(secrets).count == 100)
        #expect(secrets.allSatisfy { $0.utf8.count == 64 && $0.allSatisfy(\.isHexDigit) })
    }
}
