import Crypto
import Model
import Testing

@testable import Authentication

@Suite struct APIKeyringTests {
    func key(_ name: String, _ secret: String) -> APIKey {
        var key = APIKey()
        key.name = name
        key.sha256 = SHA256.hash(data: Array(secret.utf8)).map {
            String($0 >> 4, radix: 16) + String($0 & 15, radix: 16)
        }
        .joined()
        return key
    }

    @Test func findsTheKeyOfASecret() {
        let keyring = APIKeyring([key("a", "secret-a"), key("b", "secret-b")])
        #expect(keyring.authenticate("secret-a")?.name == "a")
        #expect(keyring.authenticate("secret-b")?.name == "b")
        for wrong in ["", "secret", "secret-a ", "SECRET-A"] { #expect(keyring.authenticate(wrong) == nil) }
    }

    @Test func takesDigestsInCapitals() {
        var upper = key("a", "secret")
        upper.sha256 = upper.sha256.uppercased()
        #expect(APIKeyring([upper]).authenticate("secret")?.name == "a")
    }

    @Test(arguments: ["", "zz", String(repeating: "g", count: 64), String(repeating: "0", count: 63)])
    func aBrokenDigestFitsNothing(_ digest: String) {
        var broken = APIKey()
        broken.sha256 = digest
        #expect(APIKeyring([broken]).authenticate("") == nil)
    }
}
