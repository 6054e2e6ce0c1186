import Testing

@testable import Model
@testable import Supervisor

struct LogLineTests {
    private func parse(_ text: String) -> ParsedLogLine {
        var text = text
        return text.withUTF8 { LogLineParser.parse(UnsafeRawBufferPointer($0), plainLevel: .warning) }
    }

    @Test func readsAChildsLine() {
        let line = parse(
            #"{"t":1770000000.123456,"l":"error","m":"It broke","f":{"client.id":"a-1","count":3,"on":true}}"#)
        #expect(line.time == 1_770_000_000.123456)
        #expect(line.level == .error)
        #expect(line.message == "It broke")
        #expect(line.fields == ["client.id": "a-1", "count": "3", "on": "true"])
    }

    @Test func readsEscapes() {
        #expect(parse(#"{"m":"a\"b\\c\/\n\t\u00e9\ud83d\ude00"}"#).message == "a\"b\\c/\n\té😀")
        #expect(parse(#"{"m":"\ud83d"}"#).message == "\u{FFFD}")
        #expect(parse(#"{"m":"\udc00x"}"#).message == "\u{FFFD}x")
    }

    @Test(arguments: [
        "", "{", "{}", "{\"m\":", #"{"m":"open"#, #"{"m":"x"} trailing"#, #"{"m":5}"#, #"{"l":"loud","m":"x"}"#, "[1]",
        #"{"m":"x","f":{"a":{}}}"#, #"{"m":"\q"}"#, #"{"m":"\u12"}"#, #"{"t":"x","m":"y"}"#, #"{"t":1e999,"m":"y"}"#,
        "plain text", "{not json}", "\u{0}\u{1}", #"{"m":"x","f":5}"#, #"{"m":"x",}"#,
    ])
    func anythingElseIsAPlainLine(_ text: String) {
        #expect(parse(text) == ParsedLogLine(time: nil, level: .warning, message: text, fields: [:]))
    }

    @Test func repairsWhatIsNotUTF8() {
        let bytes: [UInt8] = [0xff, 0x41]
        let line = bytes.withUnsafeBytes { LogLineParser.parse($0, plainLevel: .info) }
        #expect(line.message == "\u{FFFD}A")
    }

    @Test func tooManyFieldsAreAPlainLine() {
        let fields = (0...LogLineParser.maxFields).map { "\"k\($0)\":1" }.joined(separator: ",")
        #expect(parse("{\"m\":\"x\",\"f\":{\(fields)}}").fields.isEmpty)
    }

    // MARK: - Splitting

    private func split(_ pieces: [String]) -> [String] {
        var splitter = LogLineSplitter()
        var lines: [String] = []
        func take(_ line: UnsafeRawBufferPointer, _ wasCut: Bool) {
            lines.append(String(decoding: line, as: UTF8.self) + (wasCut ? "|cut" : ""))
        }
        for piece in pieces {
            Array(piece.utf8).withUnsafeBytes { splitter.feed($0, line: take) }
        }
        splitter.finish(line: take)
        return lines
    }

    @Test func splitsHoweverItArrives() {
        let text = "one\ntwo\r\n\nthree"
        #expect(split([text]) == ["one", "two", "", "three"])
        #expect(split(text.map(String.init)) == ["one", "two", "", "three"])
    }

    @Test func cutsALongLineAndGoesOnAfterIt() {
        let long = String(repeating: "x", count: LogLineSplitter.maxLine)
        #expect(split([long + "\n", "next\n"]) == [long, "next"])
        #expect(split([long + "y", "zzz", "\nnext\n"]) == [long + "|cut", "next"])
        #expect(split([long + "yyy\nnext"]) == [long + "|cut", "next"])
    }

    // MARK: - Showing

    @Test func nothingInALineMovesTheCursor() {
        #expect(LogText.escaped("a\u{1b}[2Jb\r\nc\u{7f}\u{9b}d\u{202e}") == "a\\x1b[2Jb\\r\\nc\\x7f\\x9bd\\u202e")
        #expect(LogText.escaped("Grüße 😀\tx") == "Grüße 😀\tx")
    }

    @Test func rendersJSONThatCanBeRead() throws {
        var store = LogStore(perSource: 1000, total: 1000)
        let entry = store.append(
            time: 1_770_000_000.25, source: "hub", worker: nil, pid: 9, level: .warning, message: "a \"b\"\n\u{1b}",
            fields: ["k": "v\\"])
        #expect(
            LogText.json(entry)
                == #"{"time":"2026-02-02T02:40:00.250000Z","level":"warning","source":"hub","pid":9,"message":"a \"b\"\n\u001b","fields":{"k":"v\\"}}"#
                + "\n")
        let text = LogText.text(entry, coloured: false)
        #expect(text.hasSuffix("WARN  hub        a \"b\"\\n\\x1b k=v\\\n"))
        #expect(!text.dropLast().contains { $0.isNewline || $0 == "\u{1b}" })
    }

    @Test(arguments: [
        (0.0, "1970-01-01T00:00:00.000000Z"), (951_782_400, "2000-02-29T00:00:00.000000Z"),
        (4_102_444_799.5, "2099-12-31T23:59:59.500000Z"), (-5, "1970-01-01T00:00:00.000000Z"),
    ])
    func writesTimesInUTC(_ seconds: Double, _ text: String) {
        #expect(UTCTime.text(seconds) == text)
    }

    @Test func aFloodIsCountedAfterItsBurst() {
        var time = MonotonicTime(nanoseconds: 0)
        var budget = LogBudget(now: time)
        var kept = 0
        for _ in 0..<100_000 where budget.take(now: time) { kept += 1 }
        #expect(kept == LogBudget.burst)
        time += .seconds(1)
        for _ in 0..<100_000 where budget.take(now: time) { kept += 1 }
        #expect(kept == LogBudget.burst + LogBudget.linesPerSecond)
    }
}
