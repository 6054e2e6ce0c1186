/// TLS of the TCP addresses of `listen`. Unix sockets stay plain: who connects there is on this machine.
package struct TLSConfiguration: Equatable, Sendable, Codable {
    /// PEM file with the certificate, and behind it those that lead to its authority; `nil`: no TLS.
    package var certificate: String?
    /// PEM file with its private key.
    package var key: String?
    package var minimumVersion = TLSMinimumVersion.tls12
    package var clientCertificates = ClientCertificates.none
    /// PEM file with the authorities whose client certificates count.
    package var clientAuthority: String?
    /// Addresses where plain HTTP is answered by a redirect to https. Cannot be changed by a reload.
    package var redirectFrom: [ListenAddress] = []
    /// How long browsers use https alone for this host (RFC 6797); 1 s…2 years; 0: they are told nothing.
    package var hsts = Duration.zero

    package init() {}

    /// Whether TCP addresses speak TLS.
    package var isOn: Bool { certificate != nil }
}

package enum TLSMinimumVersion: String, Sendable, Codable, CaseIterable {
    case tls12 = "1.2"
    case tls13 = "1.3"
}

/// Whether clients have to show a certificate of ``TLSConfiguration/clientAuthority``.
package enum ClientCertificates: String, Sendable, Codable, CaseIterable {
    /// None is asked for.
    case none
    /// One that is shown has to be good.
    case optional
    case required
}
