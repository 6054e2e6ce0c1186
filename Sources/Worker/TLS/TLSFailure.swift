import NIOSSL

/// Why a TLS handshake did not succeed, for metrics: a closed list.
enum TLSFailure: String, CaseIterable {
    /// No version that both speak.
    case version
    /// No cipher, curve or signature that both speak.
    case cipher
    /// The client showed no good certificate where one is asked for.
    case clientCertificate = "client_certificate"
    /// The client does not accept ours, or something else here: it sent an alert.
    case alert
    /// The client went away in the middle.
    case closed
    /// It was not complete within `websocket.handshakeTimeout`.
    case timeout
    /// Plain HTTP.
    case plain
    /// Anything else that is no TLS.
    case invalid

    init(_ error: any Error) {
        switch error {
        case NIOSSLError.handshakeFailed(.sslError(let stack)):
            self = stack.contains(.eofDuringHandshake) ? .closed : Self(reasons: stack.map { "\($0)" })
        case NIOSSLError.handshakeFailed(.syscallError), NIOSSLError.handshakeFailed(.zeroReturn),
            NIOSSLError.uncleanShutdown:
            self = .closed
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError: self = .invalid
        // The socket's: a reset.
        default: self = .closed
        }
    }

    /// - Parameter reasons: as BoringSSL writes them (`…:SSL routines:OPENSSL_internal:NO_SHARED_CIPHER…`).
    private init(reasons: [String]) {
        func says(_ words: String...) -> Bool { reasons.contains { reason in words.contains(where: reason.contains) } }
        if says("UNSUPPORTED_PROTOCOL", "WRONG_VERSION_NUMBER", "INAPPROPRIATE_FALLBACK") {
            self = .version
        } else if says("_ALERT_") {
            self = .alert
        } else if says("NO_SHARED_CIPHER", "NO_SHARED_GROUP", "NO_COMMON_SIGNATURE_ALGORITHMS", "NO_CIPHERS") {
            self = .cipher
        } else if says("PEER_DID_NOT_RETURN_A_CERTIFICATE", "CERTIFICATE_VERIFY_FAILED", "BAD_SIGNATURE", "X.509") {
            self = .clientCertificate
        } else {
            self = .invalid
        }
    }
}
