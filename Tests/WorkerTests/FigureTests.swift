import Model
import NIOCore
import NIOEmbedded
import Realtime
import Testing
import WebSocketProtocol
import Wire

@testable import Worker

@Suite struct FigureTests {
    @Test(arguments: [
        (0, 0), (32, 0), (33, 1), (64, 1), (65, 2), (16_777_216, 19), (16_777_217, 20), (.max / 2000, 20),
    ])
    func latenciesFallIntoTheirBuckets(_ microseconds: Int64, _ bucket: Int) {
        var histogram = LatencyHistogram()
        histogram.record(nanoseconds: microseconds * 1000)
        #expect(histogram.counts.firstIndex(of: 1) == bucket && histogram.count == 1)
        #expect(histogram.sum == Int(microseconds))
    }

    @Test func quantilesAreBounds() {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(0.5) == nil)
        for _ in 0..<98 { histogram.record(nanoseconds: 50_000) }
        for _ in 0..<2 { histogram.record(nanoseconds: 900_000) }
        histogram.record(nanoseconds: -5)
        #expect(histogram.quantile(0.5) == 64e-6 && histogram.quantile(0.99) == 1024e-6)
        var sum = histogram
        sum.add(histogram)
        #expect(sum.count == 202)
    }

    @Test func deliveriesAreTimedToTheEndOfTheTurn() throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let channel = try worker.v1()
        try worker.join("r", channel)
        for (sequence, kind) in [HubDeliveryKind.message, .message].enumerated() {
            var delivery = HubDelivery(
                origin: BootID(rawValue: 99), sequence: UInt64(sequence + 1), kind: kind,
                subject: ClientID(boot: BootID(rawValue: 99), serial: 1), room: RoomName(sequence == 0 ? "r" : "none"))
            delivery.publishedAt = worker.time.now - .milliseconds(1)
            worker.engine.deliver(delivery, payload: ByteBuffer(string: "1"))
        }
        worker.time.now += .milliseconds(1)
        worker.loop.run()
        // Nobody here is in the other room.
        #expect(worker.engine.counters.latency.count == 1 && worker.engine.counters.latency.sum == 2000)
    }

    @Test func theClientsFiguresAreTold() throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let channel = try worker.v1()
        try worker.send(#"{"type":"ping","requestId":1}"#, to: channel)
        worker.advance(.seconds(2))
        var found: [ClientInfo] = []
        worker.engine.answer(.clients(ClientFilter())) { page, _ in
            if case .clients(let clients) = page { found += clients }
        }
        let client = try #require(found.first)
        #expect(client.dialect == "wsd.v1.json" && client.sessionAge == 2 && client.authenticated == false)
        #expect(client.averageSize ?? 0 > 20 && client.compressionRatio == nil && client.rateLimited == 0)
    }
}
