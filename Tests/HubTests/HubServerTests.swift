import Logging
import Model
import NIOCore
import NIOEmbedded
import Testing
import Wire

@testable import Hub

/// The server over embedded channels of one virtual event loop.
struct HubServerTests {
    private let loop = EmbeddedEventLoop()

    private func server(links: Int, linkQueue: Int = 1 << 20) -> HubServer {
        var configuration = WsdConfiguration()
        configuration.hub.linkQueue = linkQueue
        return HubServer(
            loop: loop, logger: Logger(label: "test"), boot: BootID(rawValue: 999), configuration: configuration,
            expectedLinks: links, seed: 1, wallClock: { 1_000_000 })
    }

    private func worker(_ boot: UInt64, _ server: HubServer, members: [UInt64] = [], replayThrough: UInt64 = 0) throws
        -> TestWorker
    {
        let worker = try TestWorker(boot: boot, server: server, loop: loop)
        try worker.register(members: members, replayThrough: replayThrough)
        return worker
    }

    /// Lets the hub's time to gather pass.
    private func serve() {
        loop.advanceTime(by: .seconds(1))
    }

    @Test func publicationReachesMembersElsewhereBeforeItIsAcknowledged() throws {
        let server = server(links: 2)
        let sender = try worker(1, server, members: [1]), other = try worker(2, server, members: [7, 8])
        serve()
        let version = UInt16(WsdVersion.link)
        #expect(
            try sender.frames().contains(.welcome(version: version, boot: BootID(rawValue: 999), isLate: false)))
        _ = try other.frames()
        try sender.publish(sequence: 1, client: 1, "{\"a\":\n1}")
        loop.run()
        let frames = try other.frames()
        guard case .delivery(let delivery, let payload)? = frames.first else {
            Issue.record("\(frames)")
            return
        }
        #expect(frames.count == 1)
        #expect(String(buffer: payload) == "{\"a\":\n1}")
        #expect((delivery.origin, delivery.sequence) == (BootID(rawValue: 1), 1))
        #expect((delivery.kind, delivery.room) == (.message, RoomName("r")))
        #expect(delivery.subject == ClientID(boot: BootID(rawValue: 1), serial: 1))
        #expect(delivery.time == 1_000_000)
        #expect(delivery.position == nil)
        // Its only member is the sender: nothing but the acknowledgement.
        #expect(try sender.frames() == [.ack(acknowledged: 1, settled: 0)])
        loop.advanceTime(by: HubServer.settleDelay)
        #expect(try sender.frames() == [.ack(acknowledged: 1, settled: 1)])
        #expect(server.counters.publications == 1)
        #expect(server.counters.deliveries == 1)
    }

    @Test func operationsOfOneReadCauseOneWritePerLink() throws {
        let server = server(links: 2)
        let sender = try worker(1, server), other = try worker(2, server, members: [7])
        serve()
        _ = try other.frames()
        let writes = other.gate.writes
        try sender.send { buffer in
            for sequence in 1...50 { sender.writePublish(UInt64(sequence), 1, "\(sequence)", &buffer) }
        }
        loop.run()
        #expect(other.gate.writes == writes + 1)
        #expect(try other.payloads() == (1...50).map(String.init))
    }

    @Test func settledWaitsForTheSlowestTarget() throws {
        let server = server(links: 3)
        let sender = try worker(1, server), quick = try worker(2, server, members: [1]),
            slow = try worker(3, server, members: [1])
        serve()
        _ = try sender.frames()
        slow.gate.isHeld = true
        try sender.publish(sequence: 1, client: 1, "1")
        loop.run()
        loop.advanceTime(by: .seconds(1))
        #expect(try sender.frames() == [.ack(acknowledged: 1, settled: 0)])
        #expect(try quick.payloads() == ["1"])
        slow.gate.release()
        loop.advanceTime(by: HubServer.settleDelay)
        #expect(try sender.frames() == [.ack(acknowledged: 1, settled: 1)])
    }

    @Test func stoppedWorkerIsCutAndHoldsUpNobody() throws {
        let server = server(links: 2, linkQueue: 64 * 1024)
        let sender = try worker(1, server, members: [1]), stopped = try worker(2, server, members: [5])
        serve()
        _ = try sender.frames()
        stopped.gate.isHeld = true
        let data = String(repeating: "7", count: 1000)
        for sequence in 1...40 {
            try sender.publish(sequence: UInt64(sequence), client: 1, data)
            loop.advanceTime(by: .milliseconds(10))
        }
        #expect(server.counters.linksCut == 0)
        #expect(server.counters.queuedBytes > 32 * 1024)
        for sequence in 41...80 {
            try sender.publish(sequence: UInt64(sequence), client: 1, data)
            loop.advanceTime(by: .milliseconds(10))
        }
        #expect(server.counters.linksCut == 1)
        #expect(!stopped.channel.isActive)
        #expect(server.counters.queuedBytes == 0)
        let frames = try sender.frames()
        #expect(
            frames.contains(.ack(acknowledged: 80, settled: 79)) || frames.contains(.ack(acknowledged: 80, settled: 80))
        )
        #expect(try sender.presence(frames) == ["left 5"])
    }

    @Test func endOfALinkIsToldOncePerMember() throws {
        let server = server(links: 2)
        let dying = try worker(1, server, members: Array(1...100)), other = try worker(2, server, members: [500])
        serve()
        _ = try other.frames()
        _ = try dying.channel.finish()
        loop.run()
        #expect(try other.presence(other.frames()) == (1...100).map { "left \($0)" })
        #expect(server.counters.hubLinks == 1)
    }

    @Test func newHubTakesNoOperationBeforeTheWorkersAreThere() throws {
        let server = server(links: 2)
        let early = try worker(1, server, replayThrough: 3)
        try early.publish(sequence: 3, client: 1, "replayed")
        loop.advanceTime(by: .milliseconds(300))
        #expect(try early.frames() == [])
        let late = try worker(2, server, members: [1])
        loop.run()
        #expect(try late.payloads() == ["replayed"])
        #expect(try early.frames().contains(.ack(acknowledged: 3, settled: 0)))
    }

    @Test func newHubDoesNotWaitForEver() throws {
        let server = server(links: 5)
        let only = try worker(1, server, members: [1, 2])
        try only.publish(sequence: 1, client: 1, "x")
        loop.advanceTime(by: .milliseconds(990))
        #expect(try only.frames() == [])
        loop.advanceTime(by: .milliseconds(10))
        #expect(try only.payloads() == ["x"])
    }

    @Test func brokenAndMisplacedFramesEndOnlyTheirLink() throws {
        let server = server(links: 1)
        let good = try worker(1, server)
        serve()
        let garbage = try TestWorker(boot: 2, server: server, loop: loop)
        try garbage.send { $0.writeString("GET / HTTP/1.1\r\n\r\n") }
        let hasty = try TestWorker(boot: 3, server: server, loop: loop)
        try hasty.publish(sequence: 1, client: 1, "1")
        loop.run()
        #expect(!garbage.channel.isActive)
        #expect(!hasty.channel.isActive)
        #expect(good.channel.isActive)
        #expect(server.counters.protocolErrors == 2)
    }

    @Test func operatorPublishes() throws {
        let server = server(links: 1)
        let worker = try worker(1, server, members: [1, 2])
        var answers: [Result<Int, PublishRefusal>] = []
        // Before the hub serves, it waits.
        server.publish(room: "r", data: " {\"n\": 1}\n") { answers.append($0) }
        server.publish(room: "empty", data: "1") { answers.append($0) }
        serve()
        #expect(answers == [.success(2), .success(0)])
        #expect(try worker.payloads() == [" {\"n\": 1}\n"])
        server.publish(room: "", data: "1") { answers.append($0) }
        server.publish(room: "r", data: "{") { answers.append($0) }
        #expect(
            answers.suffix(2) == [
                .failure(PublishRefusal(reason: "The room's name has to have 1 to 65535 bytes.")),
                .failure(PublishRefusal(reason: "The data is not JSON: unexpected character or end at byte 1.")),
            ])
    }

    @Test func lastLinkIsReported() throws {
        let server = server(links: 1)
        let worker = try worker(1, server)
        var empty = 0
        server.whenEmpty = { empty += 1 }
        #expect(!server.hasNoLinks)
        _ = try worker.channel.finish()
        #expect(empty == 1)
        #expect(server.hasNoLinks)
    }

    @Test func outputKeepsPiecesBounded() {
        var output = LinkOutput()
        for _ in 0..<1000 { output.append { $0.writeRepeatingByte(1, count: 1024) } }
        #expect(output.waiting == 1_024_000)
        var batches = 0
        while let batch = output.takeBatch() {
            #expect(output.takeBatch() == nil)
            #expect(batch.count <= LinkOutput.batchPieces)
            #expect(batch.allSatisfy { $0.readableBytes <= LinkOutput.pieceSize + 1024 })
            _ = output.batchWritten(reusing: batch.first)
            batches += 1
        }
        #expect(batches == 2)
        #expect(output.waiting == 0)
        #expect(output.flushed == 1_024_000)
    }
}
