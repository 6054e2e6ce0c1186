import Model
import Testing

@testable import Realtime

struct RoomHistoryTests {
    private func history(_ count: Int, size: Int) -> RoomHistory {
        var history = RoomHistory(epoch: RoomEpoch(rawValue: 1))
        for number in 0..<count { add(&history, time: Int64(number), size: size) }
        return history
    }

    @discardableResult
    private func add(_ history: inout RoomHistory, time: Int64, size: Int = 100) -> HistoryEntry? {
        _ = history.stage(
            time: time, subject: ClientID(boot: BootID(rawValue: 1), serial: 1), user: nil, messageID: nil,
            data: [1, 2, 3], includesSubject: true)
        history.stagingCommitted()
        return history.advance(size: size)
    }

    @Test func sizeAndTimeBoundIt() {
        var history = history(10, size: 4)
        #expect(history.entries.map(\.offset) == [7, 8, 9, 10])
        #expect(history.floor == 6)
        #expect(history.bytes == 12)
        history.expire(before: 8)
        #expect(history.entries.map(\.offset) == [9, 10])
        #expect(history.remove(through: 10) == 2)
        #expect(history.position.offset == 10)
        #expect(history.floor == 10)
        #expect(history.bytes == 0)
        #expect(add(&history, time: 20)?.offset == 11)
        #expect(history.floor == 10)
    }

    @Test func timesNeverGoBack() {
        var history = history(3, size: 10)
        #expect(add(&history, time: -5)?.time == 2)
    }

    @Test func stagedIsNotInForce() {
        var history = history(2, size: 10)
        _ = history.stage(
            time: 9, subject: ClientID(boot: BootID(rawValue: 1), serial: 1), user: nil, messageID: MessageID("a"),
            data: [], includesSubject: true)
        #expect(history.position.offset == 2)
        #expect(history.stagedPosition.offset == 3)
        #expect(history.identifiers.offset(of: MessageID("a"))?.isStaged == true)
        history.stagingFailed()
        #expect(history.stagedPosition.offset == 2)
        #expect(history.identifiers.offset(of: MessageID("a")) == nil)
        #expect(history.advance(size: 10) == nil)
    }

    @Test func whatIsStoredBrokenIsNotUsed() {
        func stored(_ offsets: [UInt64], head: UInt64) -> [UInt64] {
            let entries = offsets.map {
                HistoryEntry(offset: $0, time: 0, subject: ClientID(boot: BootID(rawValue: 1), serial: 1), data: [])
            }
            let position = RoomPosition(epoch: RoomEpoch(rawValue: 1), offset: head)
            let room = StoredRoom(position: position, entries: entries, identifiers: [], readMarks: [:])
            return RoomHistory(room).entries.map(\.offset)
        }
        #expect(stored([3, 4, 5], head: 5) == [3, 4, 5])
        #expect(stored([3, 5], head: 5) == [5])
        #expect(stored([3, 4], head: 5) == [])
        #expect(stored([0, 1], head: 1) == [1])
        #expect(stored([0], head: 0) == [])
        #expect(stored([], head: 7) == [])
    }

    /// Pages beside a model that filters, for random questions.
    @Test func pagesAreWhatFilteringGives() {
        var generator = SeededGenerator(seed: 4)
        let history = history(30, size: 12)
        let all = history.entries.map(\.offset)
        for _ in 0..<2_000 {
            var query = HistoryQuery()
            query.from = Bool.random(using: &generator) ? nil : UInt64.random(in: 0...40, using: &generator)
            query.limit = Int.random(in: 0...15, using: &generator)
            query.reverse = Bool.random(using: &generator)
            let matching =
                query.reverse
                ? all.reversed().filter { $0 < query.from ?? .max } : all.filter { $0 > query.from ?? 0 }
            let page = history.page(query, maxBytes: .max)
            #expect(page.entries.map(\.offset) == Array(matching.prefix(query.limit)), "\(query)")
            #expect(page.hasMore == (matching.count > query.limit), "\(query)")
        }
    }
}

struct HubSmallPartsTests {
    private let start = MonotonicTime.zero

    @Test func identifiersAreForgottenInTimeAndInNumber() {
        var identifiers = MessageIdentifiers()
        func insert(_ text: String, _ offset: UInt64, _ time: Int64) {
            identifiers.insert(StoredIdentifier(id: MessageID(text), offset: offset, time: time))
        }
        insert("a", 1, 10)
        insert("b", 2, 20)
        identifiers.forget(before: 20)
        #expect(identifiers.offset(of: MessageID("a")) == nil)
        #expect(identifiers.offset(of: MessageID("b"))?.offset == 2)
        for number in 0..<HubLimits.identifiersPerRoom { insert("\(number)", UInt64(number), 30) }
        #expect(identifiers.count == HubLimits.identifiersPerRoom)
        #expect(identifiers.offset(of: MessageID("b")) == nil)
        identifiers.forget(before: 31)
        #expect(identifiers.isEmpty)
    }

    @Test func readMarksOnlyGrow() {
        var marks = ReadMarks([UserName("ada"): 5])
        let anonymous = ClientID(boot: BootID(rawValue: 1), serial: 1)
        #expect(marks.advance(.user(UserName("ada")), to: 5) == false)
        #expect(marks.advance(.user(UserName("ada")), to: 6) == true)
        #expect(marks.advance(.client(anonymous), to: 1) == true)
        marks.forget(anonymous)
        #expect(marks.advance(.client(anonymous), to: 1) == true)
        #expect(marks[.user(UserName("bob"))] == 0)
    }

    @Test func typingClockTellsStartsRefreshesAndEnds() {
        var clock = TypingClock()
        let key = TypingClock.Key(room: 1, link: 1, client: 1)
        let timeout = Duration.seconds(6)
        #expect(clock.began(key, timeout: timeout, now: start) == true)
        #expect(clock.began(key, timeout: timeout, now: start + .seconds(2)) == false)
        #expect(clock.began(key, timeout: timeout, now: start + .seconds(3)) == true)
        #expect(clock.nextDeadline == start + .seconds(6))
        #expect(clock.expire(now: start + .seconds(6)) == [])
        #expect(clock.expire(now: start + .seconds(9)) == [key])
        #expect(clock.nextDeadline == nil)
        #expect(clock.ended(key) == false)
        // Off and on again before its turn has come: still one entry.
        _ = clock.began(key, timeout: timeout, now: start)
        #expect(clock.ended(key) == true)
        #expect(clock.ended(key) == false)
        #expect(clock.began(key, timeout: timeout, now: start + .seconds(1)) == true)
        #expect(clock.expire(now: start + .seconds(6)) == [])
        #expect(clock.expire(now: start + .seconds(7)) == [key])
        #expect(clock.expire(now: start + .seconds(70)) == [])
    }

    @Test func bucketsThatAreFullAreForgotten() {
        var table = BucketTable<String>()
        let limit = RateLimit(perSecond: 1, burst: 1)
        #expect(table.take("a", limit, now: start) == nil)
        #expect(table.take("a", limit, now: start) == .seconds(1))
        #expect(table.take("b", limit, now: start) == nil)
        table.prune(now: start)
        #expect(table.count == 2)
        table.prune(now: start + .seconds(1))
        #expect(table.count == 0)
        #expect(table.take("c", .off, now: start) == nil)
    }

    @Test func graceKnowsEachDepartureOnce() {
        var grace = PresenceGrace()
        let ada = SessionID(rawValue: 1), bob = SessionID(rawValue: 2)
        grace.departed(ada, room: 1, deadline: start + .seconds(5))
        grace.departed(ada, room: 2, deadline: start + .seconds(5))
        grace.departed(bob, room: 1, deadline: start + .seconds(6))
        #expect(grace.returned(ada, room: 1) == true)
        #expect(grace.returned(ada, room: 1) == false)
        #expect(grace.expireFirst(now: start + .seconds(4))?.session == nil)
        #expect(grace.expireFirst(now: start + .seconds(5))?.rooms == [2])
        #expect(grace.expireFirst(now: start + .seconds(5))?.session == nil)
        #expect(grace.returned(bob, room: 1) == true)
        // Back, and gone once more: the first deadline is not its own.
        grace.departed(bob, room: 1, deadline: start + .seconds(9))
        #expect(grace.expireFirst(now: start + .seconds(8))?.session == nil)
        #expect(grace.nextDeadline == start + .seconds(9))
        #expect(grace.expireFirst(now: start + .seconds(9))?.session == bob)
        #expect(grace.count == 0)
    }

    @Test func refusalsAreRememberedForAWhile() {
        var refusals = Refusals()
        for sequence in 1...UInt64(Refusals.capacity + 2) {
            refusals.append(ClientRefusal(.rateLimited), of: sequence * 2)
        }
        #expect(refusals.refusal(of: 4)?.code == .unavailable)
        #expect(refusals.refusal(of: 6)?.code == .rateLimited)
        #expect(refusals.refusal(of: 7) == nil)
    }

    @Test func epochsAreNeverZeroAndDifferBySeed() {
        var first = EpochSource(seed: 1), second = EpochSource(seed: 2)
        let epochs = (0..<1_000).flatMap { _ in [first.next(), second.next()] }
        #expect(Set(epochs).count == 2_000)
        #expect(!epochs.contains(RoomEpoch(rawValue: 0)))
    }
}
