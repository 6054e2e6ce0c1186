import Testing

@testable import Ecosystem

@Suite struct RelaxedJSONTests {
    @Test func readsWhatPeopleWrite() throws {
        let text = """
            // of the team
            {
              /* apps */ apps: [{ name: 'a"pi', "max": 1.5, "on": true, "off": null, }, ],
              "text": "é\\u00e9\\ud83d\\ude00\\n", "list": [-1, 0x],
            }
            """
        let value = try RelaxedJSON.parse(text.replacing("0x", with: "2e3"))
        let app = EcosystemValue.object([
            EcosystemMember("name", .text("a\"pi")), EcosystemMember("max", .number("1.5")),
            EcosystemMember("on", .boolean(true)), EcosystemMember("off", .null),
        ])
        #expect(value.member("apps") == .list([app]))
        #expect(value.member("text") == .text("éé😀\n"))
        #expect(value.member("list") == .list([.number("-1"), .number("2e3")]))
    }

    @Test func theLastOfAKeyCounts() throws {
        #expect(try RelaxedJSON.parse("{a:1,b:2,a:3}").json == #"{"a":3,"b":2}"#)
    }

    @Test(arguments: [
        ("", 1, 1), ("{", 1, 1), ("{\n  a 1}", 2, 5), ("[1 2]", 1, 4), ("[1] x", 1, 5), ("[\"a\n\"]", 1, 2),
        ("[5 * 1000]", 1, 4), ("{a: process.env.X}", 1, 5), ("[\"\\ud83d\"]", 1, 5), ("/* a", 1, 1), ("{é: €}", 1, 5),
        (String(repeating: "[", count: 100_000), 1, 66),
    ])
    func saysWhereItIsWrong(text: String, line: Int, column: Int) throws {
        let error = #expect(throws: EcosystemError.self) { try RelaxedJSON.parse(text) }
        guard case .syntax(let actualLine, let actualColumn, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect((actualLine, actualColumn) == (line, column), "\(String(describing: error))")
    }

    @Test func noTextTraps() {
        var seed: UInt64 = 6
        let pieces = [
            "{", "}", "[", "]", ",", ":", "\"", "'", "\\u", "\\", "d83d", "/*", "//", "*/", "\n", "é", "1", "a",
        ]
        for _ in 0..<2000 {
            let text = (0..<12).map { _ in pieces[Self.next(&seed) % pieces.count] }.joined()
            _ = try? RelaxedJSON.parse(text)
            _ = try? EcosystemYaml.parse(text)
        }
    }

    /// Knuth's generator (MMIX): the same texts each time.
    private static func next(_ seed: inout UInt64) -> Int {
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(seed >> 40)
    }
}
