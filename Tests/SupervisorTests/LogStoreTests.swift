import Supervision
import Testing
import Wire

@testable import Model
@testable import Supervisor

struct LogStoreTests {
    private func store(perSource: Int = 100_000, total: Int = 1_000_000) -> LogStore {
        LogStore(perSource: perSource, total: total)
    }

    @discardableResult
    private func add(
        _ store: inout LogStore, _ message: String, source: String = "worker 1", level: LogLevel = .info,
        time: Double = 100,
        fields: [String: String] = [:]
    ) -> LogEntry {
        store.append(time: time, source: source, worker: 1, pid: 7, level: level, message: message, fields: fields)
    }

    @Test func numbersLinesAndReturnsTheNewest() {
        var store = store()
        for number in 1...5 { add(&store, "line \(number)", source: number % 2 == 0 ? "hub" : "worker 1") }
        #expect(store.tail(LogFilter(), limit: 3).map(\.message) == ["line 3", "line 4", "line 5"])
        #expect(store.tail(LogFilter(), limit: 10).map(\.sequence) == [1, 2, 3, 4, 5])
        #expect(store.tail(LogFilter(), limit: 10, after: 3).map(\.sequence) == [4, 5])
        #expect(store.tail(LogFilter(), limit: 0).isEmpty)
    }

    @Test func filtersBySourceLevelTimeAndText() {
        var store = store()
        add(&store, "Client refused", level: .warning, time: 50, fields: ["client.address": "10.0.0.9"])
        add(&store, "Linked", source: "hub", level: .debug, time: 200)
        add(&store, "Client Closed", level: .info, time: 300)
        #expect(store.tail(LogFilter(source: "hub"), limit: 9).map(\.message) == ["Linked"])
        #expect(store.tail(LogFilter(level: .warning), limit: 9).map(\.message) == ["Client refused"])
        #expect(store.tail(LogFilter(since: 200), limit: 9).map(\.message) == ["Linked", "Client Closed"])
        #expect(store.tail(LogFilter(grep: "client c"), limit: 9).map(\.message) == ["Client Closed"])
        #expect(store.tail(LogFilter(grep: "10.0.0.9"), limit: 9).map(\.message) == ["Client refused"])
    }

    @Test func aWorkersLinesAreItsOwnAndThoseAboutIt() {
        var store = store()
        add(&store, "Client refused")
        add(&store, "Process ended", source: "supervisor")
        store.append(
            time: 100, source: "supervisor", worker: nil, pid: 7, level: .info, message: "Service ready", fields: [:])
        store.append(time: 100, source: "worker 2", worker: 2, pid: 8, level: .info, message: "Other", fields: [:])
        #expect(store.tail(LogFilter(worker: 1), limit: 9).map(\.message) == ["Client refused", "Process ended"])
        #expect(store.tail(LogFilter(worker: 2), limit: 9).map(\.message) == ["Other"])
    }

    @Test func targetsAreAnyOfSeveral() {
        var store = store()
        func add(_ source: String, _ program: String? = nil, worker: Int? = nil, about name: String? = nil) {
            store.append(
                time: 100, source: source, worker: worker, program: program, pid: 7, level: .info,
                message: "\(source) \(name ?? "")", fields: name.map { ["process.name": $0] } ?? [:])
        }
        add("api:1", "api")
        add("api:2", "api")
        add("supervisor", "api", about: "api:2")
        add("worker 1", worker: 1)
        add("supervisor", worker: 2, about: "worker 2")
        add("hub")
        add("supervisor", about: "hub")
        add("supervisor")
        add("apia:1", "apia")
        func found(_ targets: LogTarget...) -> [Int] {
            store.tail(LogFilter(targets: targets), limit: 99).map(\.sequence)
        }
        #expect(found() == Array(1...9))
        #expect(found(.program("api")) == [1, 2, 3])
        #expect(found(.process(ProgramProcessID(program: "api", number: 2)), .worker(1)) == [2, 3, 4])
        #expect(found(.workers, .source("api:1")) == [1, 4, 5])
        #expect(found(.hub) == [6, 7])
        #expect(found(.source("supervisor")) == [3, 5, 7, 8])
        #expect(found(.program("nobody")).isEmpty)
    }

    @Test func aFloodOfOneSourceLeavesTheOthersAlone() {
        var store = store(perSource: 20_000, total: 30_000)
        add(&store, "quiet", source: "hub")
        for number in 0..<1000 { add(&store, "flood \(number)", source: "worker 1") }
        for number in 0..<1000 { add(&store, "flood \(number)", source: "worker 2") }
        #expect(store.bytes <= 30_000)
        #expect(store.tail(LogFilter(source: "hub"), limit: 9).map(\.message) == ["quiet"])
        #expect(store.tail(LogFilter(source: "worker 2"), limit: 1).map(\.message) == ["flood 999"])
        #expect(store.tail(LogFilter(source: "worker 1"), limit: .max).count < 150)
    }

    @Test func linesThatWereLetGoTakeNoMemory() {
        var store = store(perSource: 100_000, total: 100_000)
        for source in 1...20 {
            for number in 0..<700 { add(&store, "flood \(number)", source: "job:\(source)") }
        }
        #expect(store.bytes <= 100_000)
        #expect(store.places < 4000)
        #expect(store.tail(LogFilter(source: "job:20"), limit: 1).map(\.message) == ["flood 699"])
    }

    @Test func cutsWhatIsTooLong() {
        var store = store()
        let entry = add(&store, String(repeating: "x", count: 100_000))
        #expect(entry.message.utf8.count == LogStore.maxLine + LogStore.cutMark.utf8.count)
        #expect(entry.message.hasSuffix(LogStore.cutMark))
        let fields = add(&store, "m", fields: ["k": String(repeating: "y", count: 20_000)])
        #expect(fields.fields == ["log.fields": LogStore.cutMark])
    }

    @Test func aFollowerSeesEveryLineOnce() {
        var store = store()
        add(&store, "before")
        var cursor = store.end()
        add(&store, "one")
        add(&store, "two", source: "hub")
        #expect(store.read(&cursor, LogFilter(), limit: 10).entries.map(\.message) == ["one", "two"])
        #expect(store.read(&cursor, LogFilter(), limit: 10).entries.isEmpty)
        add(&store, "three")
        let page = store.read(&cursor, LogFilter(), limit: 10)
        #expect(page.entries.map(\.message) == ["three"])
        #expect(page.skipped == 0)
        #expect(!page.more)
    }

    @Test func aSlowFollowerIsToldHowMuchItMissed() {
        var store = store(perSource: 2000, total: 2000)
        var cursor = store.end()
        for number in 0..<100 { add(&store, "\(number)") }
        let kept = store.tail(LogFilter(), limit: .max).count
        let page = store.read(&cursor, LogFilter(), limit: 1000)
        #expect(kept < 100)
        #expect(page.entries.count == kept)
        #expect(page.skipped == 100 - kept)
    }

    @Test func aFollowerReadsInPages() {
        var store = store()
        var cursor = store.end()
        for number in 0..<7 { add(&store, "\(number)") }
        var seen: [String] = []
        var page = store.read(&cursor, LogFilter(), limit: 3)
        while page.more {
            seen += page.entries.map(\.message)
            page = store.read(&cursor, LogFilter(), limit: 3)
        }
        seen += page.entries.map(\.message)
        #expect(seen == ["0", "1", "2", "3", "4", "5", "6"])
    }

    @Test func noLineComesBeforeAnOlderOne() {
        var store = store()
        var cursor = store.end()
        for number in 1...7 { add(&store, "\(number)", source: "worker 1") }
        add(&store, "8", source: "hub")
        add(&store, "9", source: "worker 1")
        var seen: [Int] = []
        var page = store.read(&cursor, LogFilter(), limit: 3)
        #expect(page.entries.map(\.sequence) == [1, 2, 3] && page.more)
        seen += page.entries.map(\.sequence)
        while page.more {
            page = store.read(&cursor, LogFilter(), limit: 3)
            seen += page.entries.map(\.sequence)
        }
        #expect(seen == Array(1...9))
    }

    @Test func smallerBoundsApplyAtOnce() {
        var store = store()
        for number in 0..<100 { add(&store, "\(number)") }
        store.resize(perSource: 1000, total: 1000)
        #expect(store.bytes <= 1000)
        #expect(store.tail(LogFilter(), limit: 1).map(\.message) == ["99"])
    }

    @Test func aSourceThatWasForgottenBeginsAnewForAFollower() {
        var store = store()
        add(&store, "before", source: "gone:1")
        var cursor = store.end()
        for number in 0..<LogStore.maxSources { add(&store, "\(number)", source: "job-\(number):1") }
        #expect(store.tail(LogFilter(source: "gone:1"), limit: 9).isEmpty)
        add(&store, "after", source: "gone:1")
        let page = store.read(&cursor, LogFilter(source: "gone:1"), limit: 9)
        #expect(page.entries.map(\.message) == ["after"])
        #expect(page.skipped == 0)
    }
}
