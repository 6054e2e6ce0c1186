import Model
import NIOCore
import Testing
import Wire

struct HubLinkCodecTests {
    private static let delivery = HubDelivery(
        origin: BootID(rawValue: .max), sequence: 77, kind: .userLeft,
        subject: ClientID(boot: BootID(rawValue: 5), serial: 6), room: RoomName("räum"))

    private func workerStream() -> (ByteBuffer, [WorkerFrame]) {
        var buffer = ByteBuffer()
        HubLinkEncoder.hello(boot: BootID(rawValue: 1 << 63), slot: 3, into: &buffer)
        HubLinkEncoder.register(room: RoomName("lobby"), clients: [1, .max, 3], into: &buffer)
        HubLinkEncoder.snapshotEnd(replayThrough: 41, into: &buffer)
        let data = ByteBuffer(string: "{\"a\":\n1}")
        HubLinkEncoder.operation(
            sequence: 42, kind: .publish, client: 9, room: RoomName("r"), payload: data.readableBytesView, into: &buffer
        )
        HubLinkEncoder.operation(
            sequence: 43, kind: .confirm, client: 9, room: RoomName(""), payload: ByteBuffer().readableBytesView,
            into: &buffer)
        return (
            buffer,
            [
                .hello(version: UInt16(WsdVersion.link), boot: BootID(rawValue: 1 << 63), slot: 3),
                .register(room: RoomName("lobby"), clients: [1, .max, 3]),
                .snapshotEnd(replayThrough: 41),
                .operation(
                    HubOperationFrame(sequence: 42, kind: .publish, client: 9, room: RoomName("r"), payload: data)),
                .operation(
                    HubOperationFrame(
                        sequence: 43, kind: .confirm, client: 9, room: RoomName(""), payload: ByteBuffer())),
            ]
        )
    }

    private func hubStream() -> (ByteBuffer, [HubFrame]) {
        var buffer = ByteBuffer()
        HubLinkEncoder.welcome(boot: BootID(rawValue: 8), isLate: true, into: &buffer)
        HubLinkEncoder.ack(acknowledged: 10, settled: 9, into: &buffer)
        let data = ByteBuffer(string: "[]")
        HubLinkEncoder.delivery(Self.delivery, payload: data.readableBytesView, into: &buffer)
        return (
            buffer,
            [
                .welcome(version: UInt16(WsdVersion.link), boot: BootID(rawValue: 8), isLate: true),
                .ack(acknowledged: 10, settled: 9),
                .delivery(HubDeliveryFrame(delivery: Self.delivery, payload: data)),
            ]
        )
    }

    private func drain<Frame>(_ decoder: inout HubLinkDecoder, _ next: (inout HubLinkDecoder) throws -> Frame?) rethrows
        -> [Frame]
    {
        var frames: [Frame] = []
        while let frame = try next(&decoder) { frames.append(frame) }
        return frames
    }

    @Test func framesSurviveEverySplit() throws {
        let (worker, workerFrames) = workerStream()
        for split in 0...worker.readableBytes {
            var decoder = HubLinkDecoder(maxPayload: 100)
            var rest = worker
            decoder.append(rest.readSlice(length: split)!)
            var frames = try drain(&decoder) { try $0.nextWorkerFrame() }
            decoder.append(rest)
            frames += try drain(&decoder) { try $0.nextWorkerFrame() }
            #expect(frames == workerFrames)
            #expect(decoder.buffered == 0)
        }
        let (hub, hubFrames) = hubStream()
        for split in 0...hub.readableBytes {
            var decoder = HubLinkDecoder(maxPayload: 100)
            var rest = hub
            decoder.append(rest.readSlice(length: split)!)
            var frames = try drain(&decoder) { try $0.nextHubFrame() }
            decoder.append(rest)
            frames += try drain(&decoder) { try $0.nextHubFrame() }
            #expect(frames == hubFrames)
        }
    }

    @Test func framesSurviveByteByByte() throws {
        let (worker, expected) = workerStream()
        var decoder = HubLinkDecoder(maxPayload: 100)
        var frames: [WorkerFrame] = []
        for byte in worker.readableBytesView {
            decoder.append(ByteBuffer(bytes: [byte]))
            frames += try drain(&decoder) { try $0.nextWorkerFrame() }
        }
        #expect(frames == expected)
    }

    @Test func bigRoomsComeInPieces() throws {
        var buffer = ByteBuffer()
        let clients = (1...UInt64(HubLinkEncoder.clientsPerRegister * 2 + 5)).map { $0 }
        HubLinkEncoder.register(room: RoomName("big"), clients: clients, into: &buffer)
        var decoder = HubLinkDecoder(maxPayload: 1)
        decoder.append(buffer)
        var seen: [UInt64] = []
        for frame in try drain(&decoder, { try $0.nextWorkerFrame() }) {
            guard case .register(RoomName("big"), let piece) = frame else {
                Issue.record("\(frame)")
                continue
            }
            seen += piece
        }
        #expect(seen == clients)
    }

    @Test func brokenFramesAreErrorsForGood() {
        func error(_ bytes: [UInt8]) -> HubLinkError? {
            var decoder = HubLinkDecoder(maxPayload: 1000)
            decoder.append(ByteBuffer(bytes: bytes))
            do {
                while try decoder.nextWorkerFrame() != nil {}
                return nil
            } catch {
                let (valid, _) = workerStream()
                decoder.append(valid)
                #expect(throws: error) { try decoder.nextWorkerFrame() }
                return error
            }
        }
        #expect(error([0, 0, 0, 0]) == .malformed(type: 0))
        #expect(error([255, 255, 255, 255]) == .frameTooLong(Int(UInt32.max)))
        #expect(error([1, 0, 0, 0, 99]) == .unknownType(99))
        #expect(error([2, 0, 0, 0, 1, 0]) == .malformed(type: 1))
        // A frame of the other direction.
        #expect(error([1, 0, 0, 0, 17]) == .malformed(type: 17))
        // An unknown kind of operation.
        #expect(
            error([20, 0, 0, 0, 4] + [1, 0, 0, 0, 0, 0, 0, 0] + [9] + [1, 0, 0, 0, 0, 0, 0, 0] + [0, 0])
                == .malformed(type: 4))
        // A room name longer than the frame.
        #expect(
            error([20, 0, 0, 0, 4] + [1, 0, 0, 0, 0, 0, 0, 0] + [1] + [1, 0, 0, 0, 0, 0, 0, 0] + [9, 0])
                == .malformed(type: 4))
        #expect(error([1, 0, 0]) == nil)
    }

    @Test func settledBeyondAcknowledgedIsRefused() {
        var buffer = ByteBuffer()
        HubLinkEncoder.ack(acknowledged: 1, settled: 2, into: &buffer)
        var decoder = HubLinkDecoder(maxPayload: 10)
        decoder.append(buffer)
        #expect(throws: HubLinkError.malformed(type: 17)) { try decoder.nextHubFrame() }
    }

    @Test func frameLimitFollowsTheConfiguredSize() throws {
        var decoder = HubLinkDecoder(maxPayload: 1024)
        var header = ByteBuffer()
        header.writeInteger(UInt32(1024 + HubLinkDecoder.slack + 1), endianness: .little)
        decoder.append(header)
        #expect(throws: HubLinkError.frameTooLong(1024 + HubLinkDecoder.slack + 1)) { try decoder.nextHubFrame() }
        var widest = HubLinkDecoder(maxPayload: .max)
        header.setInteger(UInt32(HubLinkDecoder.absoluteMaxFrame + 1), at: 0, endianness: .little)
        widest.append(header)
        #expect(throws: HubLinkError.frameTooLong(HubLinkDecoder.absoluteMaxFrame + 1)) { try widest.nextHubFrame() }
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func garbageNeverTraps(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let (worker, _) = workerStream(), (hub, _) = hubStream()
        for _ in 0..<2_000 {
            var bytes = Array((Bool.random(using: &generator) ? worker : hub).readableBytesView)
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            var decoder = HubLinkDecoder(maxPayload: 100)
            decoder.append(ByteBuffer(bytes: bytes))
            var other = decoder
            while let frame = try? decoder.nextWorkerFrame() { _ = frame }
            while let frame = try? other.nextHubFrame() { _ = frame }
        }
    }
}
