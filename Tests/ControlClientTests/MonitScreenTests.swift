import ControlClient
import LinuxSystem
import Model
import Testing
import Wire

@testable import wsctl

/// `wsctl monit` without a terminal: facts and keys in, rows of text out.
@Suite struct MonitScreenTests {
    private static func process(_ name: String, _ number: Int, cpu: Double, _ state: ProgramState = .ready)
        -> ProgramProcessStatus
    {
        var process = ProgramProcessStatus(name: "\(name):\(number)", number: number, state: state, restarts: 0)
        (process.pid, process.uptime, process.cpu, process.memory) = (Int32(100 + number), 60, cpu, 1 << 20)
        return process
    }

    private static func status() -> ServiceStatus {
        var status = Sample.status()
        var broken = ProgramProcessStatus(name: "jobs:1", number: 1, state: .backoff, restarts: 4)
        broken.retryIn = 3
        status.programs = [
            ProgramStatus(
                number: 1, name: "web", state: .ready, operation: nil, configured: true, wanted: 2, restarts: 0,
                processes: [process("web", 1, cpu: 50), process("web", 2, cpu: 0.5)], problems: []),
            ProgramStatus(
                number: 2, name: "jobs", state: .backoff, operation: nil, configured: true, wanted: 1, restarts: 4,
                processes: [broken], problems: ["jobs:1 exited with 1\u{1b}[2J."]),
        ]
        return status
    }

    private static func screen(columns: Int = 80, rows: Int = 24, _ status: ServiceStatus = status()) -> MonitScreen {
        var screen = MonitScreen(size: FullScreenTerminal.Size(columns: columns, rows: rows))
        screen.arrived(status)
        return screen
    }

    private static func lines(_ screen: MonitScreen, _ log: MonitLog = MonitLog(), _ style: Style = .plain) -> [String]
    {
        screen.lines(log, style, now: 0)
    }

    private static func log(_ count: Int, _ text: String = "line") -> MonitLog {
        var log = MonitLog()
        for number in 1...count { log.append(ControlClient.encode(Sample.logEntry("\(text) \(number)"))) }
        return log
    }

    /// Presses keys; returns what the last one does.
    @discardableResult
    private static func press(_ screen: inout MonitScreen, _ keys: MonitKey...) -> MonitScreen.Action? {
        keys.reduce(nil) { _, key in screen.pressed(key) }
    }

    private static func type(_ screen: inout MonitScreen, _ text: String) {
        for character in text { _ = screen.pressed(.character(character)) }
    }

    @Test func aScreenOf80Columns() {
        let lines = Self.lines(Self.screen())
        #expect(lines.count == 24)
        #expect(
            lines.prefix(12).joined(separator: "\n") == """
                wsd 0.1.0 · ok · up 3d04h · 2 programs · 1,204 clients · 1234 in/s · 45.7k out/s
                http://0.0.0.0:8080  http://[::]:8080
                  *NAME        STATE      RESTARTS CLIENTS  IN/S OUT/S  MEMORY  CPU% CPU
                \u{1b}[7m› wsd          ok                5    1204  1234 45.7k   94.3M   137           █\u{1b}[0m
                    supervisor ready             0       -     -     -    9.3M   0.1           ▁
                    hub        ready             0       -     -     -   20.0M   3.1           ▂
                    worker 1   ready             0     602   617 22.8k   31.5M    41           █
                    worker 2   ready             0     602   617 22.8k   31.5M    41           █
                  jobs         backoff           4       -     -     -       -     -           ▁
                  web          ready 2/2         0       -     -     -    2.0M    51           █
                    web:1      ready             0       -     -     -    1.0M    50           █
                    web:2      ready             0       -     -     -    1.0M   0.5           ▁
                """)
        #expect(lines[12].hasPrefix("── log of everything ──"))
        #expect(lines[23] == "l log  / filter  s sort  r restart  R reload  x stop  S start  ? help  q quit")
    }

    @Test(arguments: [(40, 10), (41, 11), (60, 15), (80, 24), (237, 70)])
    func everySizeIsFilledAndNeverExceeded(columns: Int, rows: Int) {
        var screen = Self.screen(columns: columns, rows: rows)
        let log = Self.log(80, String(repeating: "漢字 é\u{1b}[31m ", count: 12))
        screen.extent = log.extent
        for keys: [MonitKey] in [[], [.end], [.enter], [.character("?")]] {
            for key in keys { _ = screen.pressed(key) }
            for style in [Style.plain, Style(coloured: true, width: columns)] {
                let lines = Self.lines(screen, log, style)
                #expect(lines.count == rows)
                #expect(lines.allSatisfy { PaintedText.width($0) <= columns })
                #expect(!lines.contains { $0.contains("[2J") && !$0.contains("\\x1b[2J") })
                #expect(lines.map(PaintedText.ascii).joined().utf8.allSatisfy { $0 < 0x7f })
            }
        }
        #expect(Self.lines(Self.screen(columns: 39, rows: 9)).filter { !$0.isEmpty }.count == 1)
    }

    @Test func theProblemOfTheSelectedRowIsSaid() {
        var screen = Self.screen()
        for _ in 0..<5 { Self.press(&screen, .down) }
        #expect(screen.selected?.name == "jobs")
        #expect(Self.lines(screen)[1] == "! jobs:1 exited with 1\\x1b[2J.")
        screen.isLost("wsd does not run.")
        #expect(Self.lines(screen)[1] == "! wsd does not run. Tried again every second.")
        screen.arrived(Self.status())
        #expect(screen.lost == nil && screen.selected?.name == "jobs")
    }

    @Test func sortingAndFilteringKeepTheSelection() {
        var screen = Self.screen()
        Self.press(&screen, .end, .up)
        #expect(screen.selected?.name == "web:1")
        Self.press(&screen, .character("s"))
        #expect(screen.shown.map(\.name).prefix(4) == ["web:1", "worker 1", "worker 2", "hub"])
        #expect(screen.selected?.name == "web:1" && !screen.shown.contains { $0.isGroup })
        Self.press(&screen, .character("s"))
        #expect(screen.shown.first?.name == "worker 1")
        Self.press(&screen, .character("s"))
        #expect(screen.shown.first?.name == "jobs")
        Self.press(&screen, .character("s"))
        #expect(screen.shown.first?.name == "wsd")

        Self.press(&screen, .character("/"))
        Self.type(&screen, "web:2q")
        #expect(screen.shown.isEmpty && screen.selected == nil && screen.logCall == nil)
        #expect(Self.lines(screen)[3] == "  Nothing matches “web:2q”.")
        Self.press(&screen, .backspace, .enter)
        #expect(screen.shown.map(\.name) == ["web", "web:2"])
        Self.press(&screen, .character("/"), .escape)
        #expect(screen.filter.isEmpty && screen.shown.count == 9)
        Self.press(&screen, .character("/"), .pasted("x"))
        #expect(screen.filter == "x" && Self.press(&screen, .enter, .pasted("q"), .escape) == nil)
        Self.press(&screen, .character("/"))
        Self.type(&screen, String(repeating: "a", count: 1000))
        #expect(screen.filter.count == MonitScreen.maxFilter)
    }

    @Test func theLogThatIsFollowed() {
        var screen = Self.screen()
        let uris = (0..<screen.shown.count).map { index in
            Self.press(&screen, .home)
            for _ in 0..<index { Self.press(&screen, .down) }
            return screen.logCall?.uri.replacing("/v1/logs?follow=1&lines=300", with: "") ?? "none"
        }
        #expect(
            uris == [
                "", "&source=supervisor", "&source=hub", "&worker=1", "&worker=2", "&program=jobs", "&program=web",
                "&source=web%3A1", "&source=web%3A2",
            ])
    }

    @Test func operations() {
        func action(_ steps: Int, _ keys: MonitKey...) -> (MonitRequest?, String) {
            var screen = Self.screen()
            for _ in 0..<steps { Self.press(&screen, .down) }
            let action = keys.reduce(nil) { _, key in screen.pressed(key) }
            guard case .perform(let request) = action else { return (nil, Self.lines(screen)[23]) }
            return (request, Self.lines(screen)[23])
        }
        #expect(action(5, .character("r")).0?.call.path == "/v1/programs/restart")
        #expect(action(8, .character("r")).0?.call.body == Array(#"{"targets":["web:2"]}"#.utf8))
        #expect(action(8, .character("R")).0?.call.body == Array(#"{"targets":["web"]}"#.utf8))
        #expect(action(3, .character("r")).0?.call.uri == "/v1/restart?worker=1")
        #expect(
            action(2, .character("r")) == (nil, "The hub is a part of wsd: only workers and programs can be changed."))
        #expect(action(3, .character("x")).1.contains("wsctl scale"))
        // Nothing ends without a yes.
        #expect(action(5, .character("x")) == (nil, "Stop jobs? y/n"))
        #expect(action(8, .character("x")) == (nil, "Stop all of web? y/n"))
        #expect(action(5, .character("x"), .enter) == (nil, "Nothing was done."))
        #expect(action(5, .character("x"), .pasted("y")).0 == nil)
        #expect(action(5, .character("x"), .character("y")).1 == "stop jobs…")
        #expect(action(0, .character("R")).0 == nil && action(0, .character("r")).0 == nil)
        #expect(action(0, .character("x"), .character("y")).0?.endsService == true)
    }

    @Test func theStepsOfAnOperationAndItsEnd() throws {
        var screen = Self.screen()
        Self.press(&screen, .end)
        guard case .perform(let request) = Self.press(&screen, .character("r")) else {
            Issue.record("no operation")
            return
        }
        screen.said(OperationProgress(operation: "restart", message: "web:2: stopping"), of: request)
        for _ in 0..<20 { screen.arrived(Self.status()) }
        #expect(Self.lines(screen)[23] == "restart web:2: web:2: stopping")
        screen.failed(request, "You may only look.\u{7}")
        #expect(Self.lines(screen)[23] == "restart web:2: You may only look.\\x07")
        for _ in 0..<MonitScreen.noticeLength { screen.arrived(Self.status()) }
        #expect(Self.lines(screen)[23].hasPrefix("l log"))
    }

    @Test func theLogFollowsOrStaysWhereItIs() {
        var screen = Self.screen(rows: 12)
        var log = Self.log(50)
        screen.extent = log.extent
        Self.press(&screen, .character("l"))
        func last() -> String { Self.lines(screen, log)[10] }
        #expect(last().hasSuffix("line 50"))
        Self.press(&screen, .up, .up)
        #expect(last().hasSuffix("line 48"))
        log.append(ControlClient.encode(Sample.logEntry("new")))
        screen.extent = log.extent
        #expect(last().hasSuffix("line 48") && Self.lines(screen, log)[4].contains("3 newer below"))
        Self.press(&screen, .home)
        #expect(Self.lines(screen, log)[5].hasSuffix("line 1"))
        Self.press(&screen, .pageDown, .pageUp, .pageUp)
        #expect(Self.lines(screen, log)[5].hasSuffix("line 1"))
        Self.press(&screen, .end)
        #expect(last().hasSuffix("new"))
        #expect(Self.press(&screen, .escape) == nil && !screen.isLogOpen)
    }

    @Test func keysThatEndIt() {
        var screen = Self.screen()
        #expect(screen.pressed(.interrupt) == .quit && screen.pressed(.character("q")) == .quit)
        #expect(Self.press(&screen, .character("/"), .character("q")) == nil)
        #expect(screen.pressed(.interrupt) == .quit && screen.pressed(.suspend) == .suspend)
        #expect(Self.press(&screen, .escape, .character("?"), .character("j")) == nil && screen.selection == 0)
    }

    @Test func aManagerHasNoColumnsOfClients() {
        var status = Self.status()
        (status.managesOnly, status.workersWanted) = (true, 0)
        status.processes = [status.processes[0]]
        let lines = Self.lines(Self.screen(status))
        #expect(lines[2].contains("UPTIME") && !lines[2].contains("CLIENTS") && !lines[0].contains("client"))
    }
}
