import FoundationEssentials
import Glibc
import LinuxSystem
import Model
import Testing
import Wire

@testable import Supervisor

struct JournalTests {
    private func entry(
        _ message: String = "Client gone", source: String = "worker 2", worker: Int? = 2, level: LogLevel = .warning,
        fields: [String: String] = [:]
    ) -> LogEntry {
        LogEntry(
            sequence: 1, time: 0, source: source, worker: worker, pid: 77, level: level, message: message,
            fields: fields)
    }

    /// Fields of a record, as the journal reads them.
    private func parse(_ record: [UInt8]) -> [String: [String]] {
        var fields: [String: [String]] = [:]
        var rest = record[...]
        while let end = rest.firstIndex(where: { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: "\n") }) {
            let name = String(decoding: rest[..<end], as: UTF8.self)
            let value: ArraySlice<UInt8>
            if rest[end] == UInt8(ascii: "=") {
                value = rest[(end + 1)...].prefix { $0 != UInt8(ascii: "\n") }
            } else {
                let length = rest[(end + 1)..<(end + 9)].reversed().reduce(0) { $0 << 8 | Int($1) }
                value = rest[(end + 9)..<(end + 9 + length)]
            }
            fields[name, default: []].append(String(decoding: value, as: UTF8.self))
            rest = rest[(value.endIndex + 1)...]
        }
        return fields
    }

    @Test func aRecordHasTheFieldsToSearchBy() {
        let fields = parse(
            JournalRecord.encode(
                entry(fields: ["client.id": "c1", "room.id": "lobby", "close.code": "1013", "error": "a\nb"])))
        #expect(fields["MESSAGE"] == [#"worker 2: Client gone client.id=c1 close.code=1013 error=a\nb room.id=lobby"#])
        #expect(
            fields["PRIORITY"] == ["4"] && fields["SYSLOG_IDENTIFIER"] == ["wsd"] && fields["WSD_LEVEL"] == ["warning"])
        #expect(fields["WSD_SOURCE"] == ["worker 2"] && fields["WSD_WORKER"] == ["2"] && fields["WSD_PID"] == ["77"])
        #expect(
            fields["WSD_CLIENT"] == ["c1"] && fields["WSD_ROOM"] == ["lobby"] && fields["WSD_CLOSE_CODE"] == ["1013"])
        #expect(fields["WSD_ERROR"] == ["a\nb"])
    }

    /// A value cannot add a field, nor take the place of one.
    @Test func nothingInALineMakesAField() {
        let nasty = "x\nPRIORITY=0\nWSD_WORKER=9"
        let fields = parse(
            JournalRecord.encode(
                entry(nasty, source: "supervisor", worker: nil, fields: ["worker": "9", "pid": nasty, "ä b": nasty])))
        #expect(fields["PRIORITY"] == ["4"] && fields["WSD_WORKER"] == nil && fields["WSD_PID"] == ["77"])
        #expect(
            fields["WSD_FIELD_WORKER"] == ["9"] && fields["WSD_FIELD_PID"] == [nasty] && fields["WSD___B"] == [nasty])
        #expect(JournalRecord.name(String(repeating: "a", count: 100)).utf8.count == 64)
    }

    @Test(arguments: LogLevel.allCases)
    func aPlainLineKeepsItsPriority(level: LogLevel) {
        let line = JournalRecord.encode(entry("Ü", level: level)).withUnsafeBytes { JournalRecord.plainLine($0) }
        #expect(String(decoding: line, as: UTF8.self) == "<\(JournalRecord.priority(level))>worker 2: Ü\n")
    }

    @Test func whatTheJournalDoesNotTakeGoesToStandardErrorAndIsCounted() throws {
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { ends.forEach { close($0) } }
        let missing = "/tmp/wsd-no-journal-\(UInt64.random(in: 0...UInt64.max))"
        let destination = JournalDestination(
            socket: JournalSocket(path: missing), fallback: ends[0], patience: .milliseconds(1))
        let frames =
            JournalDestination.frame(JournalRecord.encode(entry("one")))
            + JournalDestination.frame(JournalRecord.encode(entry("two")))
        frames.withUnsafeBytes { destination.write($0) }
        var bytes = [UInt8](repeating: 0, count: 1000)
        let count = read(ends[1], &bytes, bytes.count)
        #expect(String(decoding: bytes[..<max(0, count)], as: UTF8.self) == "<4>worker 2: one\n<4>worker 2: two\n")
        #expect(destination.takeDiverted() == 2 && destination.takeDiverted() == 0 && destination.lost == 0)
        // Nobody reads standard error either: lines are lost, and nothing waits.
        let long = JournalDestination.frame(JournalRecord.encode(entry(String(repeating: "x", count: 10_000))))
        for _ in 0..<200 { long.withUnsafeBytes { destination.write($0) } }
        #expect(destination.lost > 0 && destination.lost + destination.takeDiverted() == 200)
    }
}
