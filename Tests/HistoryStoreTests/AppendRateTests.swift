import Glibc
import Model
import Realtime
import Testing

@testable import HistoryStore

/// Prints what a commit costs here: `WSD_MEASURE=1 swift test -c release --filter AppendRate`.
@Suite(.enabled(if: getenv("WSD_MEASURE") != nil), .serialized) struct AppendRateTests {
    @Test(arguments: [1, 16, 256]) func appendRate(batch: Int) throws {
        let folder = try Folder()
        let store = try folder.open()
        let rooms = (0..<100).map { RoomName("room-\($0)") }
        try store.commit(rooms.map { .begin($0, epoch(1), until: 0) })
        let data = [UInt8](repeating: 0x61, count: 200)
        var heads = [UInt64](repeating: 0, count: rooms.count)
        var count = 0
        let clock = ContinuousClock()
        let start = clock.now
        let used = Glibc.clock()
        while clock.now - start < .seconds(3) {
            var writes: [HistoryWrite] = []
            for _ in 0..<batch {
                let index = count % rooms.count
                heads[index] += 1
                count += 1
                let subject = ClientID(boot: worker, serial: 1)
                let made = HistoryEntry(
                    offset: heads[index], time: Int64(count), subject: subject, messageID: MessageID("m\(count)"),
                    data: data)
                writes.append(append(rooms[index], made, sequence: UInt64(count)))
                if heads[index] > 100 { writes.append(.trim(rooms[index], through: heads[index] - 100)) }
            }
            try store.commit(writes)
        }
        let seconds = (clock.now - start) / .seconds(1)
        let work = Double(Glibc.clock() - used) / Double(CLOCKS_PER_SEC) / Double(count) * 1e6
        let figures = store.takeFigures()
        let mean = figures.commitTime / figures.commits
        print(
            "batch \(batch): \(Int(Double(count) / seconds)) rows/s, \(work) µs of CPU each, commit \(mean) mean, \(figures.longestCommit) longest,",
            "\(figures.checkpoints) checkpoints, log \(figures.logBytes) bytes, file \(figures.fileBytes) bytes")
    }
}
