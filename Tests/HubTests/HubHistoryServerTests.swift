import Glibc
import HistoryStore
import Logging
import Model
import NIOCore
import NIOEmbedded
import Realtime
import Testing
import Wire

@testable import Hub

/// Rooms with history: the server over a real database, whose commits can be made to fail.
struct HubHistoryServerTests {
    private let loop = EmbeddedEventLoop()
    private let folder: String
    private let room = RoomName("r")

    init() throws {
        var template = Array("/tmp/wsd-hub-XXXXXX".utf8CString)
        folder = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    private var configuration: WsdConfiguration {
        var configuration = WsdConfiguration()
        var rule = RoomRule(match: "r*")
        rule.historySize = 10
        configuration.rooms.rules = [rule]
        configuration.history.directory = folder
        return configuration
    }

    private func open() throws -> FaultyStorage {
        FaultyStorage(try SQLiteHistoryStore.open(HistoryStoreOptions(directory: folder)).store)
    }

    private func server(_ storage: FaultyStorage?, links: Int, boot: UInt64 = 999) -> HubServer {
        HubServer(
            loop: loop, logger: Logger(label: "test"), boot: BootID(rawValue: boot), configuration: configuration,
            expectedLinks: links, storage: storage, seed: boot, wallClock: { 1_000_000 })
    }

    private func worker(
        _ boot: UInt64, _ server: HubServer, members: [UInt64] = [], replayThrough: UInt64 = 0,
        at position: RoomPosition? = nil
    ) throws -> TestWorker {
        let worker = try TestWorker(boot: boot, server: server, loop: loop)
        try worker.register(
            members: members, replayThrough: replayThrough, positions: position.map { [room: $0] } ?? [:])
        return worker
    }

    private func clean(_ storage: FaultyStorage) throws {
        try storage.store.close()
        for name in ["/history.sqlite", "/history.lock"] { unlink(folder + name) }
        rmdir(folder)
    }

    private func join(_ worker: TestWorker, _ sequence: UInt64, since: RoomPosition?) throws -> JoinResult {
        var options = JoinOptions()
        options.since = since
        try worker.ask(sequence, 1, .join(room, options))
        loop.run()
        guard case .joined(let result)? = try worker.replies()[sequence] else { throw Missing() }
        return result
    }

    private struct Missing: Error {}

    @Test func aTurnIsOneCommitBeforeItsDeliveries() throws {
        let storage = try open()
        let server = server(storage, links: 2)
        let sender = try worker(1, server), other = try worker(2, server, members: [7])
        loop.run()
        _ = try other.frames()
        let commits = storage.commits
        storage.beforeCommit = { #expect((try? other.frames()) == []) }
        try sender.send { buffer in
            for sequence in UInt64(1)...20 { sender.writePublish(sequence, 1, "\(sequence)", &buffer) }
        }
        loop.run()
        #expect(storage.commits == commits + 1)
        #expect(try other.payloads() == (1...20).map { "\($0):\($0)" })
        #expect(try storage.load(room)?.entries.map(\.offset).suffix(10) == Array(11...20)[...])
        #expect(server.counters.recorded == 20)
        try clean(storage)
    }

    @Test func joinSinceBringsWhatWasMissed() throws {
        let storage = try open()
        let server = server(storage, links: 1)
        let worker = try worker(1, server)
        loop.run()
        let first = try join(worker, 1, since: nil)
        let start = try #require(first.position)
        #expect(start.offset == 0)
        for sequence in UInt64(2)...6 { try worker.publish(sequence: sequence, client: 2, "\(sequence)") }
        loop.run()
        let second = try join(worker, 7, since: RoomPosition(epoch: start.epoch, offset: 2))
        #expect(second.recovery == .recovered)
        #expect(second.missed.map(\.offset) == [3, 4, 5])
        #expect(second.missed.map(\.data) == ["4", "5", "6"].map { Array($0.utf8) })
        let third = try join(worker, 8, since: RoomPosition(epoch: RoomEpoch(rawValue: 5), offset: 2))
        #expect(third.recovery == .failed(.epochChanged))
        try clean(storage)
    }

    @Test func whatIsReplayedToTheNextHubIsRecordedOnce() throws {
        var storage = try open()
        let first = server(storage, links: 2)
        let sender = try worker(1, first), other = try worker(2, first, members: [7])
        loop.run()
        for sequence in UInt64(1)...3 { try sender.publish(sequence: sequence, client: 1, "\(sequence)") }
        loop.run()
        #expect(try other.payloads() == ["1:1", "2:2", "3:3"])
        let position = try #require(try storage.position(of: room))
        // The hub is killed: neither worker knows what of its last turn counts. The other's members got two of three.
        try storage.store.close()
        storage = try open()
        let second = server(storage, links: 2, boot: 1000)
        let replaying = try worker(1, second, replayThrough: 4)
        let late = try worker(2, second, members: [7], at: RoomPosition(epoch: position.epoch, offset: 2))
        try replaying.send { buffer in
            for sequence in UInt64(2)...4 {
                let publish = HubRequest.publish(room, nil, includesSender: false)
                replaying.write(sequence, 1, publish, "\(sequence)", wantsReply: true, &buffer)
            }
        }
        loop.advanceTime(by: .seconds(1))
        #expect(try late.payloads() == ["3:3", "4:4"])
        let replies = try replaying.replies()
        for sequence in UInt64(2)...4 {
            guard case .published(let at?, _)? = replies[sequence] else {
                Issue.record("\(replies)")
                continue
            }
            #expect(at == RoomPosition(epoch: position.epoch, offset: sequence))
        }
        #expect(try storage.load(room)?.entries.map(\.data) == ["1", "2", "3", "4"].map { Array($0.utf8) })
        try clean(storage)
    }

    @Test func whatCannotBeRecordedIsRefusedAndNotDelivered() throws {
        let storage = try open()
        let server = server(storage, links: 2)
        let sender = try worker(1, server), other = try worker(2, server, members: [7])
        loop.run()
        try sender.publish(sequence: 1, client: 1, "1")
        loop.run()
        #expect(try other.payloads() == ["1:1"])
        _ = try sender.frames()
        storage.isFull = true
        try sender.send { buffer in
            sender.writePublish(2, 1, "2", &buffer)
            sender.write(3, 1, .broadcast, "\"all\"", wantsReply: true, &buffer)
        }
        loop.run()
        let frames = try other.frames()
        #expect(TestWorker.payloads(frames) == [])
        #expect(frames.count == 1)
        let replies = try sender.replies()
        #expect(replies[2] == .refused(ClientRefusal(.storageFailed)))
        #expect(replies[3] == .published(position: nil, isRepetition: false))
        #expect(server.counters.storageFailures == 1)
        #expect(server.counters.storageFailing)
        storage.isFull = false
        try sender.publish(sequence: 4, client: 1, "4")
        loop.run()
        #expect(!server.counters.storageFailing)
        #expect(try other.payloads() == ["2:4"])
        #expect(try storage.load(room)?.position.offset == 2)
        try clean(storage)
    }

    @Test func aWorkerThatComesAgainCatchesUpFirst() throws {
        let storage = try open()
        let server = server(storage, links: 2)
        let sender = try worker(1, server), cut = try worker(2, server, members: [7])
        loop.run()
        try sender.publish(sequence: 1, client: 1, "1")
        loop.run()
        #expect(try cut.payloads() == ["1:1"])
        let position = try #require(try storage.position(of: room))
        _ = try cut.channel.finish()
        for sequence in UInt64(2)...5 { try sender.publish(sequence: sequence, client: 1, "\(sequence)") }
        loop.run()
        let again = try worker(2, server, members: [7], at: position)
        loop.run()
        let frames = try again.frames()
        #expect(TestWorker.payloads(frames) == ["2:2", "3:3", "4:4", "5:5"])
        // What its window no longer holds is told.
        _ = try again.channel.finish()
        for sequence in UInt64(6)...30 { try sender.publish(sequence: sequence, client: 1, "\(sequence)") }
        loop.run()
        let late = try worker(2, server, members: [7], at: position)
        loop.run()
        let missed = try late.frames()
        #expect(missed.contains(.command(.membersMissed(room))))
        #expect(TestWorker.payloads(missed) == [])
        try clean(storage)
    }

    @Test func operationsBeforeALinksEndCount() throws {
        let storage = try open()
        let server = server(storage, links: 2)
        let dying = try worker(1, server), other = try worker(2, server, members: [7])
        loop.run()
        _ = try other.frames()
        try dying.publish(sequence: 1, client: 1, "last words")
        _ = try dying.channel.finish()
        loop.run()
        #expect(try other.payloads() == ["1:last words"])
        try clean(storage)
    }

    @Test func backendCallsTakeTheirPlaceAmongTheOperations() throws {
        let storage = try open()
        let server = server(storage, links: 2)
        let sender = try worker(1, server), other = try worker(2, server, members: [7])
        loop.run()
        _ = try other.frames()
        let publish = { (data: String) in
            BackendRequest.publish(room, BackendMessage(data: JSONText(unchecked: Array(data.utf8))))
        }
        try sender.send { buffer in
            sender.writePublish(1, 1, "1", &buffer)
            let batch = BackendRequest.batch([publish("\"a\""), .presenceCount(room), publish("\"b\"")])
            sender.write(2, 0, .backend, String(buffer: batch.encoded()), wantsReply: true, &buffer)
            sender.writePublish(3, 1, "3", &buffer)
        }
        var answers: [String] = []
        server.answer(publish("\"c\"").encoded()) { answers.append(String(buffer: $0)) }
        server.answer(ByteBuffer(string: "{\"type\":\"nonsense\"}")) { answers.append(String(buffer: $0)) }
        loop.run()
        #expect(try other.payloads() == ["1:1", "2:\"a\"", "3:\"b\"", "4:3", "5:\"c\""])
        guard case .backend(let json)? = try sender.replies()[2] else { throw Missing() }
        let text = String(decoding: json, as: UTF8.self)
        #expect(text.contains("\"offset\":2") && text.contains("\"offset\":3") && text.contains("\"members\":1"))
        #expect(answers.count == 2)
        #expect(answers.first?.contains("\"offset\":5") == true)
        #expect(answers.last?.contains("invalid_request") == true)
        // A worker that repeats the call on its next link gets its answer, and nobody gets the messages twice.
        let end = try #require(try storage.position(of: room))
        _ = try sender.channel.finish()
        let again = try worker(1, server, replayThrough: 3, at: end)
        try again.ask(2, 0, .backend, String(buffer: publish("\"a\"").encoded()))
        loop.run()
        #expect(try other.payloads() == [])
        guard case .backend? = try again.replies()[2] else { throw Missing() }
        try clean(storage)
    }

    @Test func memoryAloneNeedsNoStorage() throws {
        let server = server(nil, links: 2)
        let sender = try worker(1, server), other = try worker(2, server, members: [7])
        loop.run()
        try sender.publish(sequence: 1, client: 1, "1")
        loop.run()
        #expect(try other.payloads() == ["1:1"])
        let result = try join(sender, 2, since: nil)
        #expect(result.position?.offset == 1)
        rmdir(folder)
    }

    @Test func typingEndsByItself() throws {
        let server = server(nil, links: 2)
        let sender = try worker(1, server, members: [1]), other = try worker(2, server, members: [7])
        loop.run()
        _ = try other.frames()
        try sender.ask(1, 1, .typing(room, true))
        loop.run()
        let kinds = { (frames: [HubFrame]) -> [HubDeliveryKind] in
            frames.compactMap { if case .delivery(let delivery, _) = $0 { delivery.kind } else { nil } }
        }
        #expect(kinds(try other.frames()) == [.typingStarted])
        loop.advanceTime(by: .seconds(5))
        #expect(kinds(try other.frames()) == [])
        loop.advanceTime(by: .seconds(2))
        #expect(kinds(try other.frames()) == [.typingStopped])
        rmdir(folder)
    }

    @Test func theDatabaseIsOpenedOnlyWhereItIsNeeded() throws {
        let logger = Logger(label: "test")
        func open(_ configuration: WsdConfiguration, _ environment: [String: String] = [:]) throws -> HubHistory? {
            try HubHistory.open(configuration, environment: environment, uid: 1000, loop: loop, logger: logger)
        }
        var configuration = configuration
        configuration.history.directory = folder + "/missing/file"
        let rules = configuration.rooms.rules
        configuration.rooms.rules = []
        #expect(try open(configuration) == nil)
        configuration.rooms.rules = rules
        configuration.history.store = .memory
        #expect(try open(configuration) == nil)
        #expect(access(folder + "/missing", F_OK) != 0)
        configuration.history.store = .sqlite
        configuration.history.directory = nil
        #expect(throws: HistoryStartError.self) { try open(configuration) }
        configuration.history.directory = "/proc/wsd"
        let failure = #expect(throws: HistoryStartError.self) { try open(configuration) }
        #expect(failure?.reason.hasPrefix("The history directory /proc/wsd cannot be used: ") == true)
        configuration.history.directory = nil
        let history = try #require(try open(configuration, ["STATE_DIRECTORY": folder]))
        history.close()
        for name in ["/history.sqlite", "/history.lock"] { unlink(folder + name) }
        rmdir(folder)
    }
}

/// A store that counts, and whose disk can be full.
final class FaultyStorage: HistoryStorage {
    let store: SQLiteHistoryStore
    var isFull = false
    var commits = 0
    var beforeCommit: (() -> Void)?

    init(_ store: SQLiteHistoryStore) {
        self.store = store
    }

    func load(_ room: RoomName) throws -> StoredRoom? { try store.load(room) }
    func position(of room: RoomName) throws -> RoomPosition? { try store.position(of: room) }
    func position(recordedFor origin: OperationOrigin) throws -> RoomPosition? {
        try store.position(recordedFor: origin)
    }
    func expired(before time: Int64, limit: Int) throws -> [RoomName] { try store.expired(before: time, limit: limit) }

    func commit(_ writes: [HistoryWrite]) throws {
        if isFull { throw HistoryStoreError.full("history.sqlite") }
        beforeCommit?()
        commits += 1
        try store.commit(writes)
    }
}
