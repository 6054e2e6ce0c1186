import Testing
import Wire

@Suite struct PercentEncodingTests {
    @Test func onlyUnreservedCharactersStay() {
        #expect(PercentEncoding.encode("A-z_0.~ b&c=d/é+%") == "A-z_0.~%20b%26c%3Dd%2F%C3%A9%2B%25")
        #expect(PercentEncoding.encode("") == "")
    }

    @Test(arguments: ["", "a/b c+d", "é%☂\0\n", "100%"])
    func comesBack(_ text: String) {
        let encoded = PercentEncoding.encode(text)
        #expect(PercentEncoding.decode(encoded.utf8, plusIsSpace: false) == text)
        #expect(PercentEncoding.decode(encoded.utf8, plusIsSpace: true) == text)
    }

    @Test func aPlusIsASpaceInForms() {
        #expect(PercentEncoding.decode("a+b%2b".utf8, plusIsSpace: true) == "a b+")
        #expect(PercentEncoding.decode("a+b%2B".utf8, plusIsSpace: false) == "a+b+")
    }

    @Test(arguments: ["%", "%4", "%zz", "%ff", "a%C3"])
    func whatIsBrokenIsRefused(_ text: String) {
        #expect(PercentEncoding.decode(text.utf8, plusIsSpace: true) == nil)
    }
}
