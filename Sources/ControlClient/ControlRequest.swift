import Wire

/// One call of the control API.
package struct ControlRequest: Sendable, Equatable {
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
    }

    package var method: Method
    /// Begins with `/v1/`; plain ASCII, so that other text goes through ``PercentEncoding``.
    package var path: String
    /// Names are plain ASCII, values any text.
    package var query: [(name: String, value: String)]
    /// JSON text.
    package var body: [UInt8]?

    package init(
        _ method: Method, _ path: String, query: [(name: String, value: String?)] = [], body: [UInt8]? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query.compactMap { item in item.value.map { (item.name, $0) } }
        self.body = body
    }

    /// Path and query as they stand in the request line (RFC 3986 section 3.4); values keep only unreserved characters.
    package var uri: String {
        guard !query.isEmpty else { return path }
        return path + "?" + query.map { "\($0.name)=\(PercentEncoding.encode($0.value))" }.joined(separator: "&")
    }

    package static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.method == rhs.method && lhs.uri == rhs.uri && lhs.body == rhs.body
    }
}
