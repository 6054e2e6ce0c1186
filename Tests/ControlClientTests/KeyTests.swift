import Model
import Testing

@testable import wsctl

@Suite struct KeyTests {
    /// Counts, so that the key is known.
    private struct Counter: RandomNumberGenerator {
        var value: UInt64 = 0

        mutating func next() -> UInt64 {
            value += 1
            return value << 56 | value
        }
    }

    @Test func aNewKeyComesWithItsLines() throws {
        var generator = Counter()
        let made = KeyScreen(name: "web", rights: [.publish, .observe], using: &generator)
        #expect(made.key.hasPrefix("wsd_") && made.key.utf8.count == 68)
        #expect(made.key.dropFirst(4).allSatisfy { $0.isHexDigit && !$0.isUppercase })
        #expect(made.lines.contains("  \(made.key)"))
        let lines = [
            "api:", "  keys:", "    - name: web", "      sha256: \(made.answer.sha256)",
            "      allow: [publish, observe]",
        ]
        #expect(Array(made.lines.suffix(5)) == lines)
        #expect(made.answer.sha256 == KeyScreen.hash(of: made.key))
        #expect(made.key != KeyScreen(name: "web", rights: [], using: &generator).key)
    }

    @Test func namesThatYAMLCouldMistakeStandInQuotes() {
        for name in ["7", "null", "-", ".5", "_"] {
            #expect(KeyScreen(name: name, rights: [], key: "k").lines.contains("    - name: \"\(name)\""))
        }
    }

    /// FIPS 180-2, appendix B.1.
    @Test func hashes() {
        #expect(
            KeyScreen.hash(of: "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func oneLineBreakDoesNotCount() throws {
        let key = "0123456789abcdef"
        for end in ["", "\n", "\r\n"] { #expect(try KeyScreen.key(inInput: key + end) == key) }
        for wrong in ["", "\n", "short\n", "\(key)\n\n", "\(key) x", "\(key)é"] {
            #expect(throws: KeyComplaint.self) { try KeyScreen.key(inInput: wrong) }
        }
    }

    @Test func rightsAreWords() throws {
        #expect(try KeyScreen.rights(nil) == [.publish, .manage, .observe])
        #expect(try KeyScreen.rights("observe, publish,observe") == [.observe, .publish])
        for wrong in ["", "admin", "publish,", "Publish"] {
            #expect(throws: KeyComplaint.self) { try KeyScreen.rights(wrong) }
        }
    }

    @Test(arguments: ["", "a b", "ä", "a/b", "a\n", String(repeating: "a", count: 65)])
    func namesThatAreNone(_ name: String) {
        #expect(KeyScreen.complaint(aboutName: name) != nil)
        #expect(KeyScreen.complaint(aboutName: "web-1.x_Y") == nil)
    }
}
