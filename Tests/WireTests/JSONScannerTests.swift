import Testing
import Wire

struct JSONScannerTests {
    /// Members as text, or the error.
    private func members(_ text: String) -> Result<[[String]], JSONError> {
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBytes { raw in
            var found: [[String]] = []
            do throws(JSONError) {
                try JSONScanner.scanObject(raw) { key, value in
                    found.append([key, value].map { String(decoding: raw[$0.range], as: UTF8.self) })
                }
                return .success(found)
            } catch {
                return .failure(error)
            }
        }
    }

    private func isValid(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { (try? JSONScanner.scanValue($0)) != nil }
    }

    @Test func rangesOfTopLevelMembersAreExact() {
        #expect(members("{}") == .success([]))
        #expect(members(" \t\r\n{ } \n") == .success([]))
        #expect(
            members(#" { "a" : 1 ,"b":[ 1 , {"c":[]} ] , "c\u0064":"x\"y" } "#)
                == .success([[#""a""#, "1"], [#""b""#, #"[ 1 , {"c":[]} ]"#], [#""c\u0064""#, #""x\"y""#]]))
    }

    @Test func prettyPrintedDataKeepsItsNewlines() {
        let data = "{\n  \"lines\": [\n    1,\r\n\t2\n  ]\n}"
        #expect(
            members("{\"type\":\"sendToRoom\",\n\"data\": \(data)\n}")
                == .success([[#""type""#, #""sendToRoom""#], [#""data""#, data]]))
    }

    @Test func brokenLiteralIsNamedByItsOffset() {
        #expect(members(#"{"data":{"a":tru}}"#) == .failure(.invalid(offset: 16)))
        #expect(members(#"{"data":{"a":true}"#) == .failure(.invalid(offset: 18)))
        #expect(members("{\"data\":\"a\nb\"}") == .failure(.invalid(offset: 10)))
    }

    /// Elements as text, or the error.
    private func elements(_ text: String) -> Result<[String], JSONError> {
        Array(text.utf8).withUnsafeBytes { raw in
            var found: [String] = []
            do throws(JSONError) {
                try JSONScanner.scanArray(raw) { found.append(String(decoding: raw[$0.range], as: UTF8.self)) }
                return .success(found)
            } catch {
                return .failure(error)
            }
        }
    }

    @Test func elementsOfArraysAreExact() {
        #expect(elements(" [ ] ") == .success([]))
        #expect(elements("[1]") == .success(["1"]))
        #expect(
            elements(#" [ {"a" : [1]} ,"x]" , [ ] ,null] "#) == .success([#"{"a" : [1]}"#, #""x]""#, "[ ]", "null"]))
        #expect(elements("{}") == .failure(.notAnArray))
        #expect(elements("[1,]") == .failure(.invalid(offset: 3)))
        #expect(elements("[1 2]") == .failure(.invalid(offset: 3)))
        #expect(elements("[1") == .failure(.invalid(offset: 2)))
        #expect(elements("[]]") == .failure(.invalid(offset: 2)))
        let deep = String(repeating: "[", count: JSONScanner.maxDepth)
        #expect(elements(deep + deep.replacing("[", with: "]")) != .failure(.tooDeep(offset: JSONScanner.maxDepth)))
        #expect(elements("[" + deep) == .failure(.tooDeep(offset: JSONScanner.maxDepth)))
    }

    @Test(arguments: ["[]", "1", "null", #""text""#, " true "])
    func otherValuesAreNoObject(_ text: String) {
        #expect(members(text) == .failure(.notAnObject))
    }

    @Test(arguments: [
        "0", "-0", "1.5", "-12.25e+10", "1E5", "1e-5", "true", "false", "null", "\"\"", "\"\\u00e9\\n\\/\"",
        "\"\u{7f}é💛\"",
        "[]", "[[],{}]", "[1,2,3]", "{\"\":{}}", "{\"a\":[{\"b\":null},\"c\"]}", "  [ ]  ", "\"\\ud83d\\ude00\"",
        "\"\\ud800\"",
        "[\"01234567\",\"0123456\",\"012345678901234567890123456789\"]",
    ])
    func validTexts(_ text: String) {
        #expect(isValid(Array(text.utf8)))
    }

    @Test(arguments: [
        "", " ", "{", "}", "[", "]", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{a:1}",
        "{'a':1}",
        "{\"a\":1 \"b\":2}", "{\"a\"::1}", "[1}", "{\"a\":1]", "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x1", "1 2",
        "tru",
        "TRUE", "nul", "falsey", "NaN", "Infinity", "\"", "\"a", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u123g\"",
        "\"\\",
        "\"a\tb\"", "\"01234567\u{1}\"", "// c\n1", "[1]/**/", "\u{feff}{}", "\u{a0}1", "[]]", "{}{}", "\"a\" \"b\"",
        "é",
        "\u{0}", "[1,\u{0}]", "{\"a\":1}x", "[[1]", "--1", "1e5.5", "\"\\U0041\"",
    ])
    func invalidTexts(_ text: String) {
        #expect(!isValid(Array(text.utf8)))
    }

    @Test func bytesThatAreNoUTF8DoNotTrap() {
        #expect(isValid([0x22, 0xFF, 0xC0, 0x80, 0x22]))
        #expect(!isValid([0xFF, 0xFE]))
        #expect(!isValid([0x22, 0xFF, 0x80]))
    }

    @Test func depthIsBounded() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(isValid(Array(nested(JSONScanner.maxDepth).utf8)))
        #expect(!isValid(Array(nested(JSONScanner.maxDepth + 1).utf8)))
        #expect(!isValid(Array(String(repeating: "[", count: 1_000_000).utf8)))
        #expect(
            members("{\"a\":\(nested(JSONScanner.maxDepth - 1))}")
                == .success([["\"a\"", nested(JSONScanner.maxDepth - 1)]]))
        #expect(
            members("{\"a\":\(nested(JSONScanner.maxDepth))}")
                == .failure(.tooDeep(offset: 5 + JSONScanner.maxDepth - 1)))
    }

    @Test func containersOfBothKindsCloseInTheirOrderAcrossTheWholeDepth() {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<200 {
            var open = "", close = ""
            for _ in 0..<Int.random(in: 1...JSONScanner.maxDepth, using: &generator) {
                let isObject = Bool.random(using: &generator)
                open += isObject ? "{\"k\":" : "["
                close = (isObject ? "}" : "]") + close
            }
            #expect(isValid(Array((open + "1" + close).utf8)))
            let wrong = close.dropLast() + (close.hasSuffix("]") ? "}" : "]")
            #expect(!isValid(Array((open + "1" + wrong).utf8)))
        }
    }

    @Test func everyPositionOfSpecialByteInALongStringIsFound() {
        for length in 0..<40 {
            for position in 0..<length {
                var text = [UInt8](repeating: UInt8(ascii: "a"), count: length)
                text[position] = 0x1F
                #expect(!isValid([0x22] + text + [0x22]))
                text[position] = 0x22
                #expect(!isValid([0x22] + text + [0x22]))
                text[position] = 0x5C
                #expect(!isValid([0x22] + text + [0x22]))
                text[position] = 0xFF
                #expect(isValid([0x22] + text + [0x22]))
                text[position] = 0x80
                #expect(isValid([0x22] + text + [0x22]))
            }
        }
    }

    @Test func escapedStringsAreReadAndCompared() throws {
        let bytes = Array(#""joinR\u006fom\n\ud83d\ude00""#.utf8)
        try bytes.withUnsafeBytes { raw in
            let slice = try JSONScanner.scanValue(raw)
            #expect(slice.hasEscapes)
            #expect(JSONString.text(slice, in: raw) == "joinRoom\n😀")
            #expect(JSONString.equals(slice, in: raw, "joinRoom\n😀"))
            #expect(!JSONString.equals(slice, in: raw, "joinRoom"))
        }
    }

    @Test(arguments: [
        #""\ud800""#, #""\udc00""#, #""\ud800x""#, #""\ud800\n""#, #""\ud800\ud800""#, #""\ud800\u0041""#,
    ])
    func halfASurrogatePairIsNoText(_ text: String) throws {
        try Array(text.utf8).withUnsafeBytes { raw in
            let slice = try JSONScanner.scanValue(raw)
            #expect(JSONString.text(slice, in: raw) == nil)
            #expect(!JSONString.equals(slice, in: raw, "x"))
        }
    }
}
