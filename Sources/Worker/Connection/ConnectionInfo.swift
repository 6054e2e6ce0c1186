import Model

/// What was seen of a client at its handshake, for the operator's eyes.
struct ConnectionInfo: Codable {
    /// Longest text kept of a field the client chose, bytes.
    static let maxFieldLength = 256

    /// IP address (of the client behind a trusted proxy, where it says so), or `unix`.
    var address: String
    var path: String
    var origin: String?
    var userAgent: String?
    /// Seconds since 1970.
    var connectedAt: Double
    /// The client speaks TLS with this process.
    var isSecure = false
    var certificate: ClientCertificate?
}
