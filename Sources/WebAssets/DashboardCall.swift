import Wire

/// A call of the control API that the dashboard may make. Everything else is refused before it reaches the control socket.
package struct DashboardCall: Equatable, Sendable {
    /// Of a parameter's value, bytes.
    package static let maxValue = 256
    /// Of a body, bytes: an object with a number.
    package static let maxBody = 1024

    /// Of the control API, beginning with `/v1/`.
    package let path: String
    package let query: [Parameter]
    /// It changes something: POST.
    package let isChange: Bool
    /// Whether the control API takes a body with it.
    package let takesBody: Bool

    package struct Parameter: Equatable, Sendable {
        package let name: String
        package let value: String
    }

    /// Why a call is none, for the page: a status and the control API's own shape.
    package struct Refusal: Error, Equatable {
        package let status: Int
        package let error: ControlError
    }

    private static let looks: [String: Set<String>] = [
        "status": [], "version": [], "stats": ["follow"], "clients": ["id", "room", "user", "address"],
        "rooms": ["prefix"], "logs": ["follow", "lines", "worker", "source", "level", "since", "grep", "after"],
    ]
    private static let changes: [String: Set<String>] = ["reload": [], "restart": ["worker"], "scale": []]

    /// - Parameters:
    ///   - name: behind `api/`, percent-encoded.
    ///   - query: as it came, without its `?`.
    ///   - mayChange: the page is one that may.
    package init(method: String, name: some StringProtocol, query: String?, mayChange: Bool) throws(Refusal) {
        let name = String(name)
        let isRead = method == "GET"
        let known = Self.looks[name] ?? (mayChange ? Self.changes[name] : nil)
        guard let known else {
            guard Self.changes[name] != nil else {
                throw Refusal(404, "not_found", "The dashboard has no call of this name.")
            }
            throw Refusal(403, "forbidden", "This dashboard only shows: use wsctl to change something.")
        }
        guard isRead == (Self.looks[name] != nil), isRead || method == "POST" else {
            throw Refusal(405, "bad_request", "This call is made with \(isRead ? "POST" : "GET").")
        }
        path = "/v1/\(name)"
        isChange = !isRead
        takesBody = name == "scale"
        var parameters: [Parameter] = []
        for pair in (query ?? "").utf8.split(separator: UInt8(ascii: "&")) {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let key = PercentEncoding.decode(parts[0], plusIsSpace: true),
                let value = parts.count == 2 ? PercentEncoding.decode(parts[1], plusIsSpace: true) : ""
            else { throw Refusal(400, "bad_request", "The query is not percent-encoded UTF-8.") }
            guard known.contains(key), !parameters.contains(where: { $0.name == key }) else {
                throw Refusal(400, "bad_request", "A parameter is not known to the dashboard, or stands twice.")
            }
            guard value.utf8.count <= Self.maxValue else {
                throw Refusal(400, "bad_request", "The parameter \(key) has more than \(Self.maxValue) bytes.")
            }
            parameters.append(Parameter(name: key, value: value))
        }
        self.query = parameters
    }

    /// Path and query for a request line.
    package var target: String {
        guard !query.isEmpty else { return path }
        return path + "?" + query.map { "\($0.name)=\(PercentEncoding.encode($0.value))" }.joined(separator: "&")
    }
}

extension DashboardCall.Refusal {
    package init(_ status: Int, _ code: String, _ message: String) {
        self.init(status: status, error: ControlError(code: code, message: message))
    }
}
