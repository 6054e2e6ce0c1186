import Crypto
import Foundation
import JWTKit
import Model

@testable import Authentication

/// A folder of key files that goes with its test, and tokens made by hand (so that they can be wrong, too).
final class KeyFolder {
    let path: String
    static let secret = "0123456789abcdef0123456789abcdef"

    init() throws {
        path = NSTemporaryDirectory() + "wsd-auth-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func file(_ name: String, _ text: String) throws -> String {
        let file = path + "/" + name
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        return file
    }

    func secretConfiguration(_ change: (inout AuthConfiguration) -> Void = { _ in }) throws -> AuthConfiguration {
        var configuration = AuthConfiguration()
        configuration.secretFile = try file("secret", Self.secret + "\n")
        change(&configuration)
        return configuration
    }
}

enum Token {
    static func base64URL(_ bytes: some Sequence<UInt8>) -> String {
        Data(bytes).base64EncodedString().replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
    }

    static func unsigned(_ header: String, _ payload: String) -> String {
        base64URL(header.utf8) + "." + base64URL(payload.utf8)
    }

    /// HS256 over any header and payload.
    static func hmac(
        _ payload: String, header: String = #"{"alg":"HS256","typ":"JWT"}"#, secret: String = KeyFolder.secret
    ) -> String {
        let signed = unsigned(header, payload)
        let code = HMAC<SHA256>.authenticationCode(for: Data(signed.utf8), using: SymmetricKey(data: Data(secret.utf8)))
        return signed + "." + base64URL(code)
    }

    static func p256(_ payload: String, header: String, key: P256.Signing.PrivateKey) throws -> String {
        let signed = unsigned(header, payload)
        return signed + "." + base64URL(try key.signature(for: Data(signed.utf8)).rawRepresentation)
    }

    static func edwards(_ payload: String, header: String, key: Curve25519.Signing.PrivateKey) throws -> String {
        let signed = unsigned(header, payload)
        return signed + "." + base64URL(try key.signature(for: Data(signed.utf8)))
    }
}

extension P256.Signing.PrivateKey {
    func jwk(_ kid: String?) -> String {
        let raw = publicKey.rawRepresentation
        let name = kid.map { #","kid":"\#($0)""# } ?? ""
        return #"{"kty":"EC","crv":"P-256","x":"\#(Token.base64URL(raw.prefix(32)))","#
            + #""y":"\#(Token.base64URL(raw.suffix(32)))"\#(name)}"#
    }
}
