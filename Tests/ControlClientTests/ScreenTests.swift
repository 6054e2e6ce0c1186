import Model
import Testing
import Wire

@testable import wsctl

@Suite struct ScreenTests {
    private let coloured = Style(coloured: true, width: 80)

    @Test func clients() {
        var screen = ClientScreen()
        screen.add(Sample.client("3f0q7w1m2k9d-1c", rooms: ["lobby", "chat:7"], connectedAt: 6300), now: 10_000)
        screen.add(Sample.client("3f0q7w1m2k9d-2", rooms: [], connectedAt: 10_001, user: "ma\u{202e}ry\n"), now: 10_000)
        #expect(
            screen.lines(.plain) == [
                #"CLIENT          WORKER ADDRESS     USER         SINCE   IN  OUT QUEUE ROOMS"#,
                #"3f0q7w1m2k9d-1c      1 203.0.113.7 -            1h01m 3.4K 446K    0B chat:7, l…"#,
                #"3f0q7w1m2k9d-2       1 203.0.113.7 ma\u202ery\n    0s 3.4K 446K    0B -"#,
            ])
    }

    @Test func rooms() {
        var screen = RoomScreen()
        for (room, members) in [("b", 2), ("日本", 1200), ("a", 2)] { screen.add(RoomInfo(room: room, members: members)) }
        #expect(screen.lines(.plain) == ["MEMBERS  ROOM", "   1200  日本", "      2  a", "      2  b"])
    }

    @Test func configuration() {
        let entries = [
            ConfigurationEntry(key: "workers.count", value: "3", source: "wsd.yaml:12", reloadable: true),
            ConfigurationEntry(key: "workers.maxMemory", value: "0", source: "default", reloadable: true),
            ConfigurationEntry(key: "listen", value: "[8080]", source: "default", reloadable: false),
        ]
        #expect(
            ConfigurationScreen.lines(entries, .plain) == [
                "KEY                VALUE   RELOAD  FROM",
                "workers.count      3       yes     wsd.yaml:12",
                "workers.maxMemory  0       yes     default",
                "listen             [8080]  no      default",
            ])
        #expect(
            ConfigurationScreen.selected(entries, key: "workers").map(\.key) == ["workers.count", "workers.maxMemory"])
        #expect(ConfigurationScreen.selected(entries, key: "listen").map(\.key) == ["listen"])
        #expect(ConfigurationScreen.selected(entries, key: "list").isEmpty)
        #expect(ConfigurationScreen.selected(entries, key: nil) == entries)
        let long = ConfigurationEntry(
            key: "rooms.rules", value: String(repeating: "x", count: 100), source: "default", reloadable: true)
        #expect(ConfigurationScreen.lines([long], .plain).last?.contains(long.value) == true)
        #expect(
            ConfigurationScreen.lines([long] + entries, .plain)[1].contains(
                String(repeating: "x", count: 59) + "… yes"))
    }

    @Test func figuresOnceASecond() {
        var ticker = StatsTicker()
        let status = Sample.status()
        var sample = StatsSample(time: 100, totals: status.totals, processes: status.processes)
        #expect(
            ticker.lines(sample, .plain) == [
                " CLIENTS  ROOMS  IN/S OUT/S  IN B/S OUT B/S RESTARTS LIMITED CPU% MEMORY",
                "    1204     31  1234 45.7k       -       -        1       0   86  92.3M",
            ])
        sample.time = 102
        sample.totals.bytesIn += 20_480
        #expect(
            ticker.lines(sample, .plain) == [
                "    1204     31  1234 45.7k   10.0K      0B        1       0   86  92.3M"
            ])
        for _ in 2..<20 { #expect(ticker.lines(sample, .plain).count == 1) }
        #expect(ticker.lines(sample, .plain).count == 2)
    }

    @Test func logLines() {
        let entry = Sample.logEntry(
            "Rate \u{1b}]0;pwned\u{7} exceeded", level: .warning,
            fields: ["why": "too many", "client.id": "a-1", "x": "\""])
        #expect(
            LogLine.text(entry, time: "T", .plain)
                == #"T WARN  worker 1   Rate \x1b]0;pwned\x07 exceeded client.id=a-1 why="too many" x="\"""#)
        #expect(
            LogLine.text(Sample.logEntry("Ready", source: "hub"), time: "T", coloured)
                == "\u{1b}[2mT\u{1b}[0m INFO  \u{1b}[35mhub\u{1b}[0m        Ready")
        #expect(
            LogLine.text(Sample.logEntry("a\r\nb", source: "\u{9b}31m", level: .error), time: "T", .plain)
                == #"T ERROR \x9b31m    a\r\nb"#)
    }

    @Test func logLinesOfProgramsHaveAColourForEachAndAMark() {
        var entry = Sample.logEntry("Timeout, timeout", source: "api:1", fields: ["k": "TIMEOUTS"])
        (entry.program, entry.stream) = ("api", .out)
        let line = LogLine.text(entry, time: "T", highlight: "timeOUT", coloured)
        #expect(
            line.hasSuffix(
                "\u{1b}[7mTimeout\u{1b}[0m, \u{1b}[7mtimeout\u{1b}[0m "
                    + "\u{1b}[2mk=\u{1b}[0m\u{1b}[7mTIMEOUT\u{1b}[0m\u{1b}[2mS\u{1b}[0m"))
        #expect(
            LogLine.text(entry, time: "T", highlight: "timeout", .plain)
                == "T INFO  api:1      Timeout, timeout k=TIMEOUTS")
        func colour(_ program: String, _ number: Int) -> Substring? {
            (entry.program, entry.source) = (program, "\(program):\(number)")
            return LogLine.text(entry, time: "T", coloured).split(separator: "\u{1b}").first {
                $0.hasSuffix(entry.source)
            }?
            .prefix(4)
        }
        #expect(colour("api", 1) != nil && colour("api", 1) == colour("api", 2))
        #expect(Set(["api", "web", "jobs", "mail", "cache", "db"].map { colour($0, 1) }).count > 2)
    }

    @Test func flushedLogs() {
        let all = LogsFlushed(programs: nil, lines: 12, memory: 9, files: 0, bytes: 0)
        #expect(FlushCommand.text(all) == "Forgotten of all programs: 12 lines in memory, no file.")
        let two = LogsFlushed(programs: ["a", "b"], lines: 0, memory: 0, files: 1, bytes: 2048)
        #expect(FlushCommand.text(two) == "Forgotten of a, b: 0 lines in memory, 1 file (2.0 KiB).")
    }

    @Test func progress() {
        let step = OperationProgress(operation: "reload", message: "worker 1: successor ready (pid 4711)")
        #expect(ProgressLine.text(step, elapsed: 1, .plain) == "  worker 1: successor ready (pid 4711)")
        let done = OperationProgress(operation: "reload", message: "2 workers replaced", done: true, succeeded: true)
        #expect(ProgressLine.text(done, elapsed: 4.21, .plain) == "reload done in 4.2 s: 2 workers replaced")
        let several = OperationProgress(
            operation: "upgrade", message: "It is wrong:\na:1: no\nIt goes on.\u{1b}", done: true, succeeded: false)
        #expect(
            ProgressLine.text(several, elapsed: 1, .plain)
                == "upgrade failed in 1.0 s: It is wrong:\n    a:1: no\n    It goes on.\\x1b")
        let failed = OperationProgress(
            operation: "scale to 4", message: "worker 4: not ready", done: true, succeeded: false)
        #expect(
            ProgressLine.text(failed, elapsed: 10, coloured)
                == "scale to 4 \u{1b}[1;31mfailed\u{1b}[0m in 10 s: worker 4: not ready")
        #expect(ProgressLine.hint("a:1 exited with 1: Error: listen EADDRINUSE: …")?.contains("--listen") == true)
        #expect(ProgressLine.hint("a:1 exited with 0; it is started again at once.")?.contains("on-failure") == true)
        #expect(ProgressLine.hint(failed.message) == nil)
    }

    @Test func processesAreRecognisedInSentences() {
        let worker = Sample.worker(1, pid: 1)
        #expect(worker.isNamed(in: "Worker 1 has failed."))
        #expect(worker.isNamed(in: "Two (worker 1, worker 3) are away"))
        #expect(!worker.isNamed(in: "Worker 12 has failed."))
        #expect(!worker.isNamed(in: "1 worker has failed."))
    }

    @Test func publishedTextMustBeJSON() {
        for good in [#"{"a":1}"#, "[]", #""text""#, " 1 ", "null"] { #expect(JSONCheck.complaint(about: good) == nil) }
        #expect(
            JSONCheck.complaint(about: "hello\u{7}") == """
                The message is not JSON: hello\\x07. Put it in single quotes for the shell, and text in double quotes of \
                its own: wsctl publish lobby '{"text":"hello"}', wsctl publish lobby '"hello"'
                """)
        for bad in ["", "{", "{}{}", "'a'", #"{"a":tru}"#] { #expect(JSONCheck.complaint(about: bad) != nil) }
    }
}

@Suite struct TableTests {
    @Test func alignsAndLeavesNoTrailingSpace() {
        var table = Table([("A", .left), ("NUMBER", .right), ("C", .left)])
        table.add(["long", "1", ""])
        table.add(["", "", "x"])
        #expect(table.lines(.plain) == ["A     NUMBER  C", "long       1", "              x"])
    }

    @Test func becomesNarrower() {
        var table = Table([("A", .left), ("B", .left)])
        table.add(["123456789", "abcdefghijklmnopqrstuvwxyz"])
        func line(_ width: Int) -> String { table.lines(Style(coloured: false, width: width))[1] }
        #expect(line(37) == "123456789  abcdefghijklmnopqrstuvwxyz")
        #expect(line(36) == "123456789 abcdefghijklmnopqrstuvwxyz")
        #expect(line(30) == "123456789 abcdefghijklmnopqrs…")
        #expect(line(5) == "123456789 abcdefg…")
    }

    @Test func countsColumnsNotLetters() {
        var table = Table([("A", .left), ("B", .left)])
        table.add(["日本", "x"])
        table.add(["e\u{301}a", "y"])
        #expect(table.lines(.plain) == ["A     B", "日本  x", "e\u{301}a    y"])
    }
}
