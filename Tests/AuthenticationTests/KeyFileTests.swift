import Crypto
import JWTKit
import Model
import Testing

@testable import Authentication

@Suite struct KeyFileTests {
    let folder: KeyFolder

    init() throws {
        folder = try KeyFolder()
    }

    func verifier(jwks: String) throws -> TokenVerifier {
        var configuration = AuthConfiguration()
        configuration.jwksFile = try folder.file("keys.json", jwks)
        return try TokenVerifier(configuration: configuration)
    }

    @Test func aTokenNamesItsKeyOfASet() async throws {
        let (first, second) = (P256.Signing.PrivateKey(), P256.Signing.PrivateKey())
        let verifier = try verifier(jwks: #"{"keys":[\#(first.jwk("1")),\#(second.jwk("2"))]}"#)
        func check(_ header: String, _ key: P256.Signing.PrivateKey) async throws -> TokenFailure? {
            switch await verifier.verify(try Token.p256("{}", header: header, key: key), now: 0) {
            case .success: nil
            case .failure(let failure): failure
            }
        }
        #expect(try await check(#"{"alg":"ES256","kid":"1"}"#, first) == nil)
        #expect(try await check(#"{"alg":"ES256","kid":"2"}"#, second) == nil)
        #expect(try await check(#"{"alg":"ES256","kid":"2"}"#, first) == .wrongSignature)
        // The first key would be JWTKit's default.
        #expect(try await check(#"{"alg":"ES256","kid":"3"}"#, first) == .unknownKey)
        #expect(try await check(#"{"alg":"ES256"}"#, first) == .unknownKey)
        #expect(try await check(#"{"alg":"RS256","kid":"1"}"#, first) == .wrongAlgorithm)
    }

    @Test func theOnlyKeyOfASetNeedsNoName() async throws {
        let key = P256.Signing.PrivateKey()
        let verifier = try verifier(jwks: #"{"keys":[\#(key.jwk("1"))]}"#)
        _ = try await verifier.verify(try Token.p256("{}", header: #"{"alg":"ES256"}"#, key: key), now: 0).get()
        let wrong = try Token.p256("{}", header: #"{"alg":"ES256","kid":"x"}"#, key: key)
        #expect(await verifier.verify(wrong, now: 0) == .failure(.unknownKey))
    }

    @Test func passesOverKeysOfOtherKindsAndUses() async throws {
        let (key, edwards) = (P256.Signing.PrivateKey(), Curve25519.Signing.PrivateKey())
        let other = key.jwk("enc").dropLast() + #","use":"enc"}"#
        let okp =
            #"{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"\#(Token.base64URL(edwards.publicKey.rawRepresentation))"}"#
        let verifier = try verifier(
            jwks: #"{"keys":[{"kty":"oct","k":"AAAA","kid":"o"},{"kty":7},"text",\#(other),\#(okp)]}"#)
        let good = try Token.edwards(#"{"sub":"ada"}"#, header: #"{"alg":"EdDSA","kid":"ed"}"#, key: edwards)
        #expect(try await verifier.verify(good, now: 0).get().user == UserName("ada"))
        let refused = try Token.p256("{}", header: #"{"alg":"ES256","kid":"enc"}"#, key: key)
        #expect(await verifier.verify(refused, now: 0) == .failure(.unknownKey))
    }

    @Test func readsEdwardsAndRSAKeys() async throws {
        let edwards = Curve25519.Signing.PrivateKey()
        var configuration = AuthConfiguration()
        configuration.publicKeyFile = try folder.file(
            "ed.pem", EdDSA.PublicKey(backing: edwards.publicKey).pemRepresentation)
        let token = try Token.edwards("{}", header: #"{"alg":"EdDSA"}"#, key: edwards)
        _ = try await TokenVerifier(configuration: configuration).verify(token, now: 0).get()

        let keys = JWTKeyCollection()
        let rsa = try Insecure.RSA.PrivateKey(pem: RSASample.privateKey)
        await keys.add(rsa: rsa, digestAlgorithm: .sha256)
        configuration.publicKeyFile = try folder.file("rsa.pem", rsa.publicKey.pemRepresentation)
        struct Payload: JWTPayload {
            var sub = "ada"
            func verify(using algorithm: some JWTAlgorithm) async throws {}
        }
        let signed = try await keys.sign(Payload())
        let verifier = try TokenVerifier(configuration: configuration)
        #expect(try await verifier.verify(signed, now: 0).get().user == UserName("ada"))
        let confused = Token.hmac("{}", secret: rsa.publicKey.pemRepresentation)
        #expect(await verifier.verify(confused, now: 0) == .failure(.wrongAlgorithm))
    }

    @Test func saysWhatIsWrongWithAFile() throws {
        func message(_ change: (inout AuthConfiguration) throws -> Void) throws -> String {
            var configuration = AuthConfiguration()
            try change(&configuration)
            do throws(AuthenticationError) {
                _ = try TokenVerifier(configuration: configuration)
                return ""
            } catch {
                return error.description
            }
        }
        #expect(try message { _ in }.contains("auth.jwksFile"))
        #expect(
            try message { $0.secretFile = "/nowhere/secret" }.contains(
                "/nowhere/secret (auth.secretFile) cannot be read"))
        let short = try message { $0.secretFile = try folder.file("short", "sesame\n") }
        #expect(short.contains("shorter than 32 bytes") && !short.contains("sesame"))
        #expect(try message { $0.publicKeyFile = try folder.file("x.pem", "x") }.contains("no PEM file"))
        let pair = P256.Signing.PrivateKey()
        #expect(
            try message { $0.publicKeyFile = try folder.file("p.pem", pair.pemRepresentation) }.contains("private key"))
        #expect(try message { $0.jwksFile = try folder.file("k", "[]") }.contains("no JSON Web Key Set"))
        #expect(try message { $0.jwksFile = try folder.file("k", #"{"keys":[]}"#) }.contains("no usable key"))
        #expect(
            try message { $0.jwksFile = try folder.file("k", #"{"keys":[\#(pair.jwk("1")),\#(pair.jwk("1"))]}"#) }
                .contains("same kid"))
        let broken = #"{"keys":[{"kty":"RSA","kid":"r","n":"AQAB","e":"AQAB"}]}"#
        #expect(try message { $0.jwksFile = try folder.file("k", broken) }.contains("the key r cannot be used"))
    }
}
