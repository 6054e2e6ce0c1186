import Testing

@testable import ConfigurationFile

/// Faults of the YAML itself.
@Suite struct YamlFaultTests {
    @Test(arguments: [
        ("workers:\n\tcount: 1", "2:1: not valid YAML: a tab; indent with spaces"),
        ("mode: @dev", "1:7: not valid YAML: text cannot begin with this character unless it is in quotes"),
        (
            "mode: a: b",
            "1:8: not valid YAML: a second `: ` in the line, or a line indented too far; put text that holds `: ` in quotes"
        ),
        (
            "mode: dev\nprod\nlog:\n",
            "3:1: not valid YAML: a key without its colon (`key: value`) stands here or in the line above"
        ),
        ("mode: \"dev", "1:11: not valid YAML: a quote is opened and not closed"),
        (
            "listen: [a",
            "2:1: not valid YAML: a list in brackets is not closed, or text with brackets or a comma is not in quotes"
        ),
        ("listen: *:80", "1:10: not valid YAML: text that begins with * or & must be in quotes"),
        (
            "listen: [:80]",
            "1:10: not valid YAML: a value is missing here, or text that begins with a sign such as `:` is not in quotes"
        ),
        ("listen: *star", "1:9: not valid YAML: text that begins with * or & must be in quotes"),
        ("mode: dev\n---\nmode: prod", "2:1: not valid YAML: a second document begins here (`---`); wsd.yaml is one"),
        ("mode: dev\u{1}", "1:10: not valid YAML: control characters are not allowed (character 1)"),
        (
            "a:\n  - b\n c: d",
            "3:2: not valid YAML: this line does not fit the ones above: look at its indentation, and at quotes and brackets before it"
        ),
        ("mode: \"\\q\"", "1:8: not valid YAML: while parsing a quoted scalar found unknown escape character"),
    ])
    func faults(_ text: String, _ expected: String) {
        #expect(problems(text) == ["wsd.yaml:\(expected)"])
    }

    @Test func aKeyThatStandsTwiceIsFoundAtItsSecondPlace() {
        #expect(
            problems("workers:\n  count: 1\n  maxMemory: 1G\n  \"count\": 2\nmode: dev\nmode: prod\n") == [
                "wsd.yaml:4:3: `count` is already set in line 2; a key stands once",
                "wsd.yaml:6:1: `mode` is already set in line 5; a key stands once",
            ])
        #expect(problems("mode: a\nmode: b\nmode: c\n").count == 3)
        #expect(problems("{mode: dev, mode: prod}") == ["wsd.yaml:1:2: `mode` is set twice; a key stands once"])
        #expect(problems("? [a]\n: 1\n? [a]\n: 1\n").count == 1)
    }

    @Test func anchorsAliasesAndTagsAreRefused() {
        let anchors = "anchors (&name) and aliases (*name) are not used in wsd.yaml; quote text that begins with & or *"
        #expect(
            problems("mode: &m dev\nlog:\n  format: *m") == ["wsd.yaml:1:7: \(anchors)", "wsd.yaml:3:11: \(anchors)"]
                .prefix(1) + [
                    "wsd.yaml:1:7: \(anchors)", "wsd.yaml:1:7: log.format is `dev`; it must be auto, text or json",
                ])
        #expect(
            problems("mode: !!int 4").first
                == "wsd.yaml:1:7: tags such as `tag:yaml.org,2002:int` are not used in wsd.yaml; quote text that begins with !"
        )
    }

    /// Nine levels of nine aliases each, with the last as a key: comparing that key would cost 9^9 steps.
    @Test func anAnchorBombCostsNothing() {
        var text = "a0: &a0 [x]\n"
        for level in 1...9 {
            text += "a\(level): &a\(level) [\(Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ","))]\n"
        }
        text += "? *a9\n: 1\n"
        let clock = ContinuousClock()
        let time = clock.measure { #expect(problems(text).count == 1) }
        #expect(time < .seconds(1))
    }

    @Test(arguments: ["[", "{a: ", "- ", "? "])
    func deepNestingIsRefused(_ unit: String) {
        let found = problems(String(repeating: unit, count: 100_000))
        #expect(
            found.map { $0.hasSuffix("not valid YAML: sections or brackets within one another without end") } == [true])
    }

    @Test func deepIndentationIsRefused() {
        let text = (0..<1400).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
        #expect(problems(text).map { $0.hasSuffix("sections or brackets within one another without end") } == [true])
    }

    @Test func thousandsOfDuplicatesCostNoThousandReadings() {
        #expect(problems(String(repeating: "mode: dev\n", count: 30_000)).count == 1)
    }

    @Test func longLinesAreCutAroundTheFault() throws {
        let error = try #require(throws: ConfigurationErrors.self) {
            try load("mode: {" + String(repeating: "x", count: 500) + "\u{202E}: 1}\u{1B}[31m")
        }
        #expect(!error.description.contains("\u{1B}"))
        #expect(!error.description.contains("\u{202E}"))
        #expect(error.description.split(separator: "\n").allSatisfy { $0.count < 200 })
    }
}
