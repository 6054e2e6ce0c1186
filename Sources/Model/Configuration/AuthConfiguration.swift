/// JSON Web Tokens (RFC 7519).
package struct AuthConfiguration: Equatable, Sendable, Codable {
    /// Without a valid identity (token or connect webhook) a client may do nothing but authenticate.
    package var required = false
    /// Time for it; 1 s…10 min. Then close 4001.
    package var timeout = Duration.seconds(10)
    /// File with the shared secret of HS256 (all its bytes but one trailing line break; at least 32).
    package var secretFile: String?
    /// PEM file with the public key of RS256, ES256 or EdDSA.
    package var publicKeyFile: String?
    /// JSON file with a key set (RFC 7517); a token names its key by `kid`.
    package var jwksFile: String?
    /// Must stand in `aud`, if set.
    package var audience: String?
    /// Must be `iss`, if set.
    package var issuer: String?
    /// For `exp` and `nbf`; 0…10 min.
    package var leeway = Duration.seconds(30)
    /// Name of the query parameter that may carry a token; `nil`: none may.
    package var queryParameter: String? = "token"
    /// Name of the cookie that may carry a token; `nil`: none may.
    package var cookie: String?

    package init() {}

    /// Whether any key is configured.
    package var isConfigured: Bool { secretFile != nil || publicKeyFile != nil || jwksFile != nil }
}

extension WsdConfiguration {
    /// Whether a client can get an identity at all: by a token or from the connect webhook.
    package var knowsIdentities: Bool { auth.isConfigured || webhooks.connect.url != nil }
}
