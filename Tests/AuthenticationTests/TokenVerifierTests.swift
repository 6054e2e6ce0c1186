import Crypto
import JWTKit
import Model
import Testing

@testable import Authentication

@Suite struct TokenVerifierTests {
    let folder: KeyFolder

    init() throws {
        folder = try KeyFolder()
    }

    func verify(
        _ token: String, now: Double = 1000, _ change: (inout AuthConfiguration) -> Void = { _ in }
    ) async throws -> Result<ClientIdentity, TokenFailure> {
        try await TokenVerifier(configuration: folder.secretConfiguration(change)).verify(token, now: now)
    }

    @Test func readsWhoTheClientIs() async throws {
        let token = Token.hmac(
            #"{"sub":"ad\u0061","exp":2000.5,"info":{ "name": "Ada" },"rooms":["a","b"],"#
                + #""rights":[{"rooms":"chat:*","allow":["join","publish"]}],"other":[1]}"#)
        let identity = try await verify(token).get()
        #expect(identity.user == UserName("ada"))
        #expect(identity.expiresAt == 2000.5)
        #expect(identity.info == #"{ "name": "Ada" }"#)
        #expect(identity.rooms == [RoomName("a"), RoomName("b")])
        #expect(identity.grants == [RoomGrant(rooms: "chat:*", allow: [.join, .publish])])
    }

    @Test func aTokenWithoutSubjectIsAnonymous() async throws {
        #expect(try await verify(Token.hmac("{}")).get() == .anonymous)
    }

    @Test(arguments: [
        (#"{"exp":969}"#, TokenFailure.expired), (#"{"exp":970}"#, .expired), (#"{"exp":-1e300}"#, .expired),
        (#"{"nbf":1031}"#, .notYetValid), (#"{"nbf":1e300}"#, .notYetValid),
        (#"{"sub":""}"#, .wrongClaim(.subject)), (#"{"sub":7}"#, .wrongClaim(.subject)),
        (#"{"exp":"1"}"#, .wrongClaim(.end)), (#"{"exp":null}"#, .wrongClaim(.end)),
        (#"{"exp":1e999}"#, .wrongClaim(.end)),
        (#"{"nbf":[]}"#, .wrongClaim(.start)), (#"{"rooms":"a"}"#, .wrongClaim(.rooms)),
        (#"{"rooms":[""]}"#, .wrongClaim(.rooms)), (#"{"rights":{}}"#, .wrongClaim(.rights)),
        (#"{"rights":[{"rooms":"a","allow":["fly"]}]}"#, .wrongClaim(.rights)),
        (#"{"info":"\#(String(repeating: "x", count: 4096))"}"#, .wrongClaim(.info)),
        (#"{"sub":"\#(String(repeating: "x", count: 257))"}"#, .wrongClaim(.subject)),
        ("[]", .malformed), ("{", .malformed), ("", .malformed),
    ])
    func refusesClaims(_ payload: String, _ failure: TokenFailure) async throws {
        #expect(try await verify(Token.hmac(payload)) == .failure(failure))
    }

    @Test(arguments: [#"{"exp":970.5}"#, #"{"exp":1e300}"#, #"{"nbf":1030}"#, #"{"nbf":0,"exp":2000}"#])
    func allowsForTheClocks(_ payload: String) async throws {
        _ = try await verify(Token.hmac(payload)).get()
    }

    @Test func anEndBeyondAllCalendarsIsTheLastDay() async throws {
        #expect(try await verify(Token.hmac(#"{"exp":1e300}"#)).get().expiresAt == 253_402_300_799)
    }

    @Test func checksAudienceAndIssuer() async throws {
        func check(_ payload: String) async throws -> Result<ClientIdentity, TokenFailure> {
            try await verify(Token.hmac(payload)) {
                $0.audience = "chat"
                $0.issuer = "https://id.example"
            }
        }
        _ = try await check(#"{"aud":"chat","iss":"https://id.example"}"#).get()
        _ = try await check(#"{"aud":["shop","chat"],"iss":"https://id.example"}"#).get()
        #expect(try await check(#"{"aud":"shop","iss":"https://id.example"}"#) == .failure(.wrongAudience))
        #expect(try await check(#"{"iss":"https://id.example"}"#) == .failure(.wrongAudience))
        #expect(try await check(#"{"aud":"chat"}"#) == .failure(.wrongIssuer))
        #expect(try await check(#"{"aud":"chat","iss":"https://id.example/"}"#) == .failure(.wrongIssuer))
        #expect(try await check(#"{"aud":7,"iss":"https://id.example"}"#) == .failure(.wrongClaim(.audience)))
    }

    @Test func refusesOtherAlgorithmsThanTheKeys() async throws {
        for algorithm in ["none", "None", "hs256", "HS384", "HS512", "RS256", "ES256", "EdDSA", ""] {
            let token = Token.hmac("{}", header: #"{"alg":"\#(algorithm)"}"#)
            #expect(try await verify(token) == .failure(.wrongAlgorithm))
        }
        let none = Token.unsigned(#"{"alg":"none"}"#, "{}")
        #expect(try await verify(none + ".") == .failure(.malformed))
        #expect(try await verify(none + ".AA") == .failure(.wrongAlgorithm))
    }

    /// The public key's text as an HMAC secret is the classic confusion.
    @Test func aPublicKeyIsNoSecret() async throws {
        let key = P256.Signing.PrivateKey()
        var configuration = AuthConfiguration()
        configuration.publicKeyFile = try folder.file("public.pem", key.publicKey.pemRepresentation)
        let verifier = try TokenVerifier(configuration: configuration)
        let forged = Token.hmac(#"{"sub":"root"}"#, secret: key.publicKey.pemRepresentation)
        #expect(await verifier.verify(forged, now: 0) == .failure(.wrongAlgorithm))
        let good = try Token.p256(#"{"sub":"ada"}"#, header: #"{"alg":"ES256"}"#, key: key)
        #expect(try await verifier.verify(good, now: 0).get().user == UserName("ada"))
        let other = try Token.p256("{}", header: #"{"alg":"ES256"}"#, key: P256.Signing.PrivateKey())
        #expect(await verifier.verify(other, now: 0) == .failure(.wrongSignature))
    }

    @Test func refusesAChangedToken() async throws {
        let token = Token.hmac(#"{"sub":"ada"}"#)
        _ = try await verify(token).get()
        let parts = token.split(separator: ".").map(String.init)
        let forged = Token.base64URL(#"{"sub":"eve"}"#.utf8)
        #expect(try await verify("\(parts[0]).\(forged).\(parts[2])") == .failure(.wrongSignature))
        #expect(
            try await verify(Token.hmac("{}", secret: String(repeating: "x", count: 32))) == .failure(.wrongSignature))
        for broken in [
            "\(parts[0]).\(parts[1])", "\(token).x", "\(token)=", " \(token)", ".\(parts[1]).", "", "..", "a.b.c",
        ] {
            #expect(try await verify(broken) == .failure(.malformed))
        }
        #expect(try await verify(token + String(repeating: "A", count: 8192)) == .failure(.tooLong))
    }

    @Test(arguments: [
        #"{"alg":"HS256","crit":["exp"],"exp":1}"#, #"{"alg":1}"#, #"{"typ":"JWT"}"#, "[]", "{",
        #"{"alg":"HS256","kid":7}"#,
    ])
    func refusesHeaders(_ header: String) async throws {
        #expect(try await verify(Token.hmac("{}", header: header)) == .failure(.malformed))
    }

    @Test func onlyKeysOfASetAreNamed() async throws {
        _ = try await verify(Token.hmac("{}", header: #"{"alg":"HS256","kid":"whatever"}"#)).get()
    }

    /// No byte of a token may trap, and none that changes what is signed or the signature is let through.
    @Test func noChangedByteIsLetThrough() async throws {
        let verifier = try TokenVerifier(configuration: folder.secretConfiguration())
        let token = Array(Token.hmac(#"{"sub":"ada","exp":2000}"#).utf8)
        var random = Seeded(state: 7)
        for _ in 0..<400 {
            var changed = token
            let index = Int(random.next() % UInt64(changed.count))
            changed[index] = UInt8(truncatingIfNeeded: random.next())
            guard changed != token else { continue }
            let result = await verifier.verify(String(decoding: changed, as: UTF8.self), now: 0)
            #expect((try? result.get()) == nil)
        }
    }
}

/// splitmix64.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
