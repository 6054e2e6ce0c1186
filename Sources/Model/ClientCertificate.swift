/// What the certificate says that a client has shown and that was found good.
package struct ClientCertificate: Equatable, Sendable, Codable {
    /// Longest subject that is kept, bytes of UTF-8.
    package static let maxSubject = 512

    /// Distinguished name, as RFC 4514 writes it: the most specific part first (`CN=alice,O=Example`).
    package var subject: String
    /// SHA-256 of the whole certificate, 64 hexadecimal digits.
    package var sha256: String

    package init(subject: String, sha256: String) {
        self.subject = subject
        self.sha256 = sha256
    }
}
