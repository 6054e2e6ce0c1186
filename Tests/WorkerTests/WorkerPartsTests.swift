import Model
import NIOCore
import NIOEmbedded
import Realtime
import Testing
import Wire

@testable import Worker

@Suite struct AcceptPacerTests {
    @Test func aWorkerWithinItsShareAcceptsAtOnce() {
        var pacer = AcceptPacer()
        #expect(pacer.next(own: 0, mean: 0) == .accept(upTo: AcceptPacer.batch))
        #expect(pacer.next(own: 133, mean: 100) == .accept(upTo: AcceptPacer.batch))
    }

    @Test func oneAboveItDelaysButNeverRefuses() {
        var pacer = AcceptPacer()
        for _ in 0..<3 {
            #expect(pacer.next(own: 134, mean: 100) == .wait(AcceptPacer.step))
            #expect(pacer.next(own: 134, mean: 100) == .accept(upTo: AcceptPacer.batchAboveShare))
        }
    }

    @Test func pausesLongerWhileThereAreNoDescriptors() {
        var pacer = AcceptPacer()
        var now = MonotonicTime(nanoseconds: 1)
        var pauses: [Duration] = []
        var episodes = 0
        for _ in 0..<6 {
            let (pause, begins) = pacer.ranOutOfDescriptors(now: now)
            pauses.append(pause)
            if begins { episodes += 1 }
            now += pause
        }
        #expect(pauses == [100, 200, 400, 800, 1000, 1000].map { .milliseconds($0) })
        #expect(episodes == 1)
    }

    @Test func descriptorsThatComeAndGoAreOneEpisode() {
        var pacer = AcceptPacer()
        var now = MonotonicTime(nanoseconds: 1)
        var told: [Bool] = []
        for _ in 0..<4 {
            told.append(pacer.ranOutOfDescriptors(now: now).beginsEpisode)
            now += .seconds(1)
            told.append(pacer.accepted(now: now))
            #expect(!pacer.isShortOfDescriptors)
        }
        #expect(told == [true] + Array(repeating: false, count: 7))
        now += .seconds(5)
        let ends = [pacer.accepted(now: now), pacer.accepted(now: now)]
        #expect(ends == [true, false])
    }
}

@Suite struct IdleWheelTests {
    static let start = MonotonicTime(nanoseconds: 10_000_000_000)

    @Test func entriesComeNotBeforeTheirTime() {
        var wheel = IdleWheel<Int>(now: Self.start)
        wheel.enter(1, at: Self.start + .seconds(25))
        #expect(wheel.advance(to: Self.start + .milliseconds(24_999)) == [])
        #expect(wheel.advance(to: Self.start + .milliseconds(25_250)) == [1])
        #expect(wheel.advance(to: Self.start + .seconds(500)) == [])
    }

    @Test func entriesOfThePastComeWithTheNextTick() {
        var wheel = IdleWheel<Int>(now: Self.start)
        wheel.enter(1, at: .zero)
        #expect(wheel.advance(to: Self.start + .milliseconds(250)) == [1])
    }

    @Test func whatIsBeyondTheHorizonComesEarly() {
        var wheel = IdleWheel<Int>(now: Self.start)
        wheel.enter(1, at: Self.start + .seconds(3600))
        #expect(wheel.advance(to: Self.start + .seconds(127)) == [])
        #expect(wheel.advance(to: Self.start + .seconds(128)) == [1])
    }

    @Test func aLongSleepBringsEverythingOnce() {
        var wheel = IdleWheel<Int>(now: Self.start)
        for index in 0..<100 { wheel.enter(index, at: Self.start + .seconds(index)) }
        #expect(wheel.advance(to: Self.start + .seconds(86_400)).sorted() == Array(0..<100))
    }
}

@Suite struct ConnectionTableTests {
    @Test func keysDoNotSurviveTheirConnection() {
        var table = ConnectionTable<String>()
        let first = table.insert("a")
        #expect(table[first] == "a")
        let removed = [table.remove(first), table.remove(first)]
        #expect(removed == [true, false])
        let second = table.insert("b")
        #expect(second.slot == first.slot && second != first)
        #expect(table[first] == nil && table[second] == "b")
        #expect(table.count == 1 && table.all == ["b"] && table.keys == [second])
    }
}

@Suite struct BufferTests {
    @Test func outboundBuffersAreReused() {
        var buffers = OutboundBuffers()
        var buffer = buffers.take()
        buffer.writeString("x")
        let address = buffer.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        buffers.recycle(&buffer)
        #expect(buffer.storageCapacity == 0)
        var again = buffers.take()
        #expect(again.readableBytes == 0)
        again.writeString("y")
        #expect(again.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } == address)
    }

    @Test func aBufferThatSomebodyReadsIsNotReused() {
        var buffers = OutboundBuffers()
        var buffer = buffers.take()
        buffer.writeString("kept")
        let reader = buffer
        buffers.recycle(&buffer)
        var next = buffers.take()
        next.writeString("next")
        #expect(String(buffer: reader) == "kept")
    }

    @Test func theReceiveBufferIsSharedAfterTheFirstRead() {
        let buffers = ReceiveBuffers()
        var allocator = SharedReceiveAllocator(buffers: buffers)
        #expect(allocator.buffer(allocator: ByteBufferAllocator()).capacity < 1024)
        let mayGrow = allocator.record(actualReadBytes: 1)
        #expect(mayGrow)
        var buffer = allocator.buffer(allocator: ByteBufferAllocator())
        #expect(buffer.capacity >= ReceiveBuffers.capacity)
        buffer.writeString("x")
        let kept = buffer
        buffers.giveBack(buffer)
        buffer = buffers.take()
        #expect(buffer.readableBytes == 0)
        buffer.writeString("y")
        #expect(String(buffer: kept) == "x")
    }
}

@Suite struct LogLimiterTests {
    @Test func countsWhatItLeavesOut() {
        var limiter = LogLimiter()
        let now = MonotonicTime(nanoseconds: 5_000_000_000)
        var admitted = 0
        for _ in 0..<25 where limiter.admit(now: now).isAdmitted { admitted += 1 }
        #expect(admitted == LogLimiter.lines)
        let later = limiter.admit(now: now + .seconds(1))
        #expect(later == (true, 15))
    }
}

@Suite struct QueryTests {
    @Test func listsClientsInPages() throws {
        let worker = WorkerHarness()
        let channels = try (0..<501).map { _ in try worker.client() }
        var pages: [(Int, Bool)] = []
        worker.engine.answer(.clients(ClientFilter())) { page, more in
            if case .clients(let clients) = page { pages.append((clients.count, more)) }
        }
        #expect(pages.map(\.0) == [500, 1] && pages.map(\.1) == [true, false])
        #expect(channels.count == worker.engine.currentCounters().clients)
    }

    @Test func filtersAndKicks() throws {
        let worker = WorkerHarness()
        let (first, second) = (try worker.client(), try worker.client())
        try worker.send(#"{"type":"joinRoom","roomId":"r"}"#, to: first)
        let id = try worker.handler(first).core.session.id.description
        var found: [ClientInfo] = []
        worker.engine.answer(.clients(ClientFilter(room: "r"))) { page, _ in
            if case .clients(let clients) = page { found += clients }
        }
        #expect(found.map(\.id) == [id] && found.first?.rooms == ["r"] && found.first?.address == "192.0.2.1")
        var replies: [ChildReply] = []
        worker.engine.answer(.rooms(prefix: "r")) { page, _ in replies.append(page) }
        worker.engine.answer(.rooms(prefix: "x")) { page, _ in replies.append(page) }
        for client in [id, id, "nobody"] {
            worker.engine.answer(.kick(client: client, code: .policyViolation, reason: "bye")) { page, _ in
                replies.append(page)
            }
        }
        var room = RoomInfo(room: "r", members: 1)
        (room.messages, room.bytes) = (0, 0)
        #expect(replies == [.rooms([room]), .rooms([]), .count(1), .count(0), .count(0)])
        worker.loop.run()
        #expect(try first.frames().last == "<close 1008 bye>")
        #expect(second.isActive)
    }
}
