import Model
import Wire

/// Checks JSON Web Tokens (RFC 7519) against the keys of the configuration.
///
/// The algorithm is the key's, never the token's choice. Where a key set is configured, a `kid` that it does not hold is
/// refused, and a token without one is good only if there is exactly one key.
package struct TokenVerifier: Sendable {
    /// Bytes of a token; above, it is not even read.
    package static let maxLength = 8 * 1024

    private let keys: [TokenKey]
    private let hasKeySet: Bool
    private let audience: String?
    private let issuer: String?
    /// Seconds.
    private let leeway: Double

    /// Reads the key files; at least one must be configured.
    /// - Throws: a sentence: a file cannot be read or holds no usable key.
    package init(configuration: AuthConfiguration) throws(AuthenticationError) {
        var keys: [TokenKey] = []
        if let path = configuration.secretFile { keys.append(try KeyFile.secret(path)) }
        if let path = configuration.publicKeyFile { keys.append(try KeyFile.publicKey(path)) }
        if let path = configuration.jwksFile { keys += try KeyFile.keySet(path) }
        guard !keys.isEmpty else {
            throw AuthenticationError("No key is configured: set auth.secretFile, auth.publicKeyFile or auth.jwksFile.")
        }
        self.keys = keys
        hasKeySet = configuration.jwksFile != nil
        audience = configuration.audience
        issuer = configuration.issuer
        leeway = configuration.leeway.inSeconds
    }

    /// Whom a token names.
    /// - Parameter now: seconds since 1970.
    package func verify(_ token: String, now: Double) async -> Result<ClientIdentity, TokenFailure> {
        do throws(TokenFailure) {
            let parts = try TokenParts(token)
            let key = try key(for: parts.header)
            guard await key.verifies(parts.signature, of: parts.signed) else { throw TokenFailure.wrongSignature }
            let claims = try TokenClaims(parts.payload)
            try check(claims, now: now)
            return .success(claims.identity)
        } catch {
            return .failure(error)
        }
    }

    private func key(for header: TokenHeader) throws(TokenFailure) -> TokenKey {
        var candidates = keys
        if hasKeySet {
            if let identifier = header.keyIdentifier {
                candidates = keys.filter { $0.identifier == identifier }
                guard !candidates.isEmpty else { throw .unknownKey }
            } else if keys.count > 1 {
                throw .unknownKey
            }
        }
        guard let key = candidates.first(where: { $0.algorithm == header.algorithm }) else { throw .wrongAlgorithm }
        return key
    }

    private func check(_ claims: TokenClaims, now: Double) throws(TokenFailure) {
        if let end = claims.identity.expiresAt, now >= end + leeway { throw .expired }
        if let start = claims.notBefore, now < start - leeway { throw .notYetValid }
        if let issuer, claims.issuer != issuer { throw .wrongIssuer }
        if let audience, !claims.audiences.contains(audience) { throw .wrongAudience }
    }
}

/// Why a token is not good. Says nothing of what stands in it.
package enum TokenFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case tooLong
    case malformed
    /// `none`, or not the algorithm of the key.
    case wrongAlgorithm
    /// `kid` names no key, or is missing where there are several.
    case unknownKey
    case wrongSignature
    case expired
    case notYetValid
    case wrongAudience
    case wrongIssuer
    /// A claim is not what it has to be.
    case wrongClaim(TokenClaim)

    package var description: String {
        switch self {
        case .tooLong: "The token is longer than \(TokenVerifier.maxLength) bytes."
        case .malformed: "The token is no signed JSON Web Token."
        case .wrongAlgorithm: "The token's algorithm is not the one of the configured key."
        case .unknownKey: "The token's kid names no configured key."
        case .wrongSignature: "The token's signature is wrong."
        case .expired: "The token has expired."
        case .notYetValid: "The token is not valid yet."
        case .wrongAudience: "The token is for another audience."
        case .wrongIssuer: "The token is of another issuer."
        case .wrongClaim(let claim): "The token's claim \(claim.rawValue) is not what it has to be."
        }
    }
}

/// The claims that are read (RFC 7519 section 4.1, and wsd's own).
package enum TokenClaim: String, Hashable, Sendable, CaseIterable {
    case subject = "sub"
    case end = "exp"
    case start = "nbf"
    case audience = "aud"
    case issuer = "iss"
    case info
    case rooms
    case rights
}

/// The keys cannot be used; a sentence that says what to do.
package struct AuthenticationError: Error, Hashable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}
