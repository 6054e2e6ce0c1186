import Model
import Testing
import Wire

@testable import wsctl

/// Clients, users, rooms and traces.
@Suite struct LiveScreenTests {
    private let coloured = Style(coloured: true, width: 80)

    @Test func clientsWithWhatOnlySomeHave() {
        var plain = Sample.client("a-1", rooms: [], connectedAt: 9990)
        var special = Sample.client("a-2", rooms: ["x"], connectedAt: 9000, user: "ada")
        (plain.averageSize, special.averageSize) = (100, 2048)
        (special.compressionRatio, special.resumed, special.rateLimited) = (0.254, true, 3)
        var screen = ClientScreen()
        screen.add(plain, now: 10_000)
        screen.add(special, now: 10_000)
        #expect(
            screen.lines(Style(coloured: false, width: 120)) == [
                "CLIENT  WORKER  ADDRESS      USER   SINCE    IN   OUT  SIZE  RATIO  RESUMED  LIMITED  QUEUE  ROOMS",
                "a-1          1  203.0.113.7  -        10s  3.4K  446K  100B      -  no             0     0B  -",
                "a-2          1  203.0.113.7  ada   16m40s  3.4K  446K  2.0K   0.25  yes            3     0B  x",
            ])
    }

    @Test func roomsWithPositions() {
        var kept = RoomInfo(room: "kept", members: 2)
        (kept.messages, kept.bytes, kept.epoch, kept.offset) = (10, 2048, "3k9", 42)
        var screen = RoomScreen()
        screen.add(RoomInfo(room: "plain", members: 1))
        screen.add(kept)
        #expect(
            screen.lines(.plain) == [
                "MEMBERS  MESSAGES  BYTES  SIZE  OFFSET  ROOM", "      2        10   2.0K  205B      42  kept",
                "      1         -      -     -       -  plain",
            ])
    }

    @Test func aUserWithRooms() {
        var screen = UserScreen(user: "ada\n", now: 10_000)
        var second = Sample.client("b-2", rooms: [], connectedAt: 9999, user: "ada")
        (second.worker, second.resumed, second.queue, second.userAgent) = (2, true, 2048, "Mozilla\u{7}")
        screen.add(second)
        screen.add(Sample.client("b-1", rooms: ["lobby", "chat\u{1b}"], connectedAt: 6400, user: "ada"))
        #expect(
            screen.lines(.plain) == [
                #"ada\n: 2 connections on 2 workers, in 2 rooms"#, "",
                "b-1  worker 1, 203.0.113.7, simple, for 1 h, 1 in, 2 out", #"  chat\x1b"#, "  lobby", "",
                #"b-2  worker 2, 203.0.113.7, simple, for 1.0 s, resumed, 1 in, 2 out, 2.0 KiB waiting, Mozilla\x07"#,
                "  in no room",
            ])
    }

    private static func event(_ kind: TraceEvent.Kind) -> TraceEvent { TraceEvent(time: 0, worker: 2, kind: kind) }

    @Test func traceLines() {
        var published = Self.event(.published)
        (published.client, published.user, published.room) = ("a-1", "ada", "my room")
        (published.offset, published.bytes, published.payload) = (42, 9, "{\"a\":\"\u{1b}\"}")
        #expect(
            TraceScreen.line(.event(published), .plain) { _ in "T" }
                == #"T published     worker=2 client=a-1 user=ada room="my room" offset=42 bytes=9 {"a":"\x1b"}"#)
        var failed = Self.event(.failed)
        (failed.code, failed.detail) = ("forbidden", "Not allowed")
        #expect(
            TraceScreen.line(.event(failed), .plain) { _ in "T" }
                == #"T failed        worker=2 code=forbidden detail="Not allowed""#)
        #expect(
            TraceScreen.line(.event(failed), coloured) { _ in "T" }.hasPrefix(
                "\u{1b}[2mT\u{1b}[0m \u{1b}[1;31mfailed\u{1b}[0m"))
        let notice = TraceNotice(time: 0, notice: "Events are missing\u{7}", worker: 1, dropped: 1234)
        #expect(
            TraceScreen.line(.notice(notice), .plain) { _ in "T" } == #"T -- Events are missing\x07 (1,234)"#)
        for kind in TraceEvent.Kind.allCases {
            #expect(TraceScreen.line(.event(Self.event(kind)), .plain) { _ in "T" }.hasSuffix(" worker=2"))
        }
    }

    @Test func eventLines() {
        var event = ServiceEvent(
            sequence: 1, time: 0, type: "process.exited", level: .warning, message: "Program ended")
        (event.process, event.program, event.pid, event.signal) = ("api:2", "api", 7, "SIGSEGV")
        (event.coreDumped, event.expected, event.reason) = (true, false, "was \u{1b}killed")
        (event.uptime, event.memory, event.fields) = (1.25, 2048, ["file.path": "a b"])
        #expect(
            EventLine.text(event, time: "T", .plain)
                == #"T process.exited       api:2      pid=7 signal=SIGSEGV core=yes expected=no reason="was \x1bkilled" uptime=1.3s "#
                + #"memory=2.0K file.path="a b""#)
        let service = ServiceEvent(
            sequence: 1, time: 0, type: "service.ready", level: .notice, message: "Service ready")
        #expect(
            EventLine.text(service, time: "T", coloured).hasPrefix("\u{1b}[2mT\u{1b}[0m \u{1b}[36mservice.ready "))
    }
}
