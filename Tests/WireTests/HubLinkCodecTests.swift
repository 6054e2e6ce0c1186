import Model
import NIOCore
import Testing
import Wire

struct HubLinkCodecTests {
    private func drain<Frame>(_ decoder: inout HubLinkDecoder, _ next: (inout HubLinkDecoder) throws -> Frame?) rethrows
        -> [Frame]
    {
        var frames: [Frame] = []
        while let frame = try next(&decoder) { frames.append(frame) }
        return frames
    }

    @Test func framesSurviveEverySplit() throws {
        let (worker, workerFrames) = HubLinkSamples.worker
        for split in stride(from: 0, through: worker.readableBytes, by: 23) {
            var decoder = HubLinkDecoder(maxPayload: 100)
            var rest = worker
            decoder.append(rest.readSlice(length: split)!)
            var frames = try drain(&decoder) { try $0.nextWorkerFrame() }
            decoder.append(rest)
            frames += try drain(&decoder) { try $0.nextWorkerFrame() }
            #expect(frames == workerFrames)
            #expect(decoder.buffered == 0)
        }
        let (hub, hubFrames) = HubLinkSamples.hub
        for split in stride(from: 0, through: hub.readableBytes, by: 53) {
            var decoder = HubLinkDecoder(maxPayload: 100)
            var rest = hub
            decoder.append(rest.readSlice(length: split)!)
            var frames = try drain(&decoder) { try $0.nextHubFrame() }
            decoder.append(rest)
            frames += try drain(&decoder) { try $0.nextHubFrame() }
            #expect(frames == hubFrames)
        }
    }

    @Test func everyCaseSurvivesTheRoundTrip() throws {
        let (worker, workerFrames) = HubLinkSamples.worker, (hub, hubFrames) = HubLinkSamples.hub
        var decoder = HubLinkDecoder(maxPayload: 100)
        decoder.append(worker)
        #expect(try drain(&decoder) { try $0.nextWorkerFrame() } == workerFrames)
        decoder.append(hub)
        #expect(try drain(&decoder) { try $0.nextHubFrame() } == hubFrames)
    }

    @Test func historyEntriesSurviveAlone() {
        for entry in HubLinkSamples.entries {
            var buffer = ByteBuffer()
            HubLinkEncoder.historyEntry(entry, into: &buffer)
            for length in 0..<buffer.readableBytes {
                var short = buffer.getSlice(at: 0, length: length)!
                #expect(HubLinkDecoder.historyEntry(&short) == nil)
            }
            #expect(HubLinkDecoder.historyEntry(&buffer) == entry)
            #expect(buffer.readableBytes == 0)
        }
    }

    /// A reply or command cut short, or with a byte too many, is not taken for a shorter or other one.
    @Test func framesOfTheWrongLengthAreRefused() {
        func length(_ frame: ByteBuffer, changedBy change: Int) -> ByteBuffer {
            var bytes = Array(frame.readableBytesView)
            if change < 0 { bytes.removeLast(-change) } else { bytes += [UInt8](repeating: 0, count: change) }
            var changed = ByteBuffer(bytes: bytes)
            changed.setInteger(UInt32(bytes.count - 4), at: 0, endianness: .little)
            return changed
        }
        var frames: [ByteBuffer] = []
        for reply in HubLinkSamples.replies {
            if case .backend = reply { continue }
            var buffer = ByteBuffer()
            HubLinkEncoder.reply(sequence: 1, reply, into: &buffer)
            frames.append(buffer)
        }
        for command in HubLinkSamples.commands {
            var buffer = ByteBuffer()
            HubLinkEncoder.command(command, into: &buffer)
            frames.append(buffer)
        }
        for frame in frames {
            for change in [-1, 1] {
                var decoder = HubLinkDecoder(maxPayload: 100)
                decoder.append(length(frame, changedBy: change))
                #expect(throws: HubLinkError.self) { try decoder.nextHubFrame() }
            }
        }
    }

    /// A count that the bytes cannot hold makes no room for it.
    @Test func listsAreNotTrusted() {
        var buffer = ByteBuffer()
        HubLinkEncoder.reply(sequence: 1, .presence(members: 1, clients: []), into: &buffer)
        buffer.setInteger(UInt32.max, at: buffer.writerIndex - 4, endianness: .little)
        var decoder = HubLinkDecoder(maxPayload: 100)
        decoder.append(buffer)
        #expect(throws: HubLinkError.malformed(type: 19)) { try decoder.nextHubFrame() }
    }

    @Test func framesSurviveByteByByte() throws {
        let (worker, expected) = HubLinkSamples.worker
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
                let (valid, _) = HubLinkSamples.worker
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
        // Of an operation: head with an unknown kind, then a room name longer than the frame.
        let head = [30, 0, 0, 0, 4] + [UInt8](repeating: 0, count: 25)
        #expect(error(head + [99, 0, 0, 0]) == .malformed(type: 4))
        #expect(error(head + [2, 9, 0, 0]) == .malformed(type: 4))
        // Flags that mean nothing.
        #expect(error(head + [9, 2, 0, 0]) == .malformed(type: 4))
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

    /// One message of the largest size, alone or in an answer with missed messages and who is there, is no broken frame.
    @Test func whateverIsConfiguredFitsIntoAFrame() {
        var configuration = WsdConfiguration()
        configuration.api.maxBody = 1024
        let small = HubLinkDecoder.maxPayload(configuration)
        configuration.api.maxBody = 64 * 1024 * 1024
        configuration.websocket.maxMessageSize = 64 * 1024 * 1024
        configuration.history.recoveryPage = 16 * 1024 * 1024
        let large = HubLinkDecoder.maxPayload(configuration)
        #expect(small >= 64 * 1024 + configuration.history.recoveryPage / 64)
        #expect(large >= 80 * 1024 * 1024)
        #expect(large + HubLinkDecoder.slack <= HubLinkDecoder.absoluteMaxFrame)
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func garbageNeverTraps(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let (worker, _) = HubLinkSamples.worker, (hub, _) = HubLinkSamples.hub
        for _ in 0..<150 {
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

    /// Bytes inside single frames, whose length and type stay: what is understood is written as the same bytes again.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func understoodBytesAreWrittenTheSame(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let replies = HubLinkSamples.replies, commands = HubLinkSamples.commands
        var understood = 0
        for _ in 0..<2_000 {
            var buffer = ByteBuffer()
            if Bool.random(using: &generator) {
                HubLinkEncoder.reply(sequence: 1, replies.randomElement(using: &generator)!, into: &buffer)
            } else {
                HubLinkEncoder.command(commands.randomElement(using: &generator)!, into: &buffer)
            }
            guard buffer.writerIndex > 6 else { continue }
            let index = Int.random(in: 5..<buffer.writerIndex, using: &generator)
            buffer.setInteger(UInt8.random(in: 0..<128, using: &generator), at: index)
            var decoder = HubLinkDecoder(maxPayload: 100)
            decoder.append(buffer)
            guard let frame = try? decoder.nextHubFrame() else { continue }
            understood += 1
            var again = ByteBuffer()
            switch frame {
            case .reply(let sequence, let reply): HubLinkEncoder.reply(sequence: sequence, reply, into: &again)
            case .command(let command): HubLinkEncoder.command(command, into: &again)
            case .welcome, .ack, .delivery: Issue.record("\(frame)")
            }
            // A name cut inside a letter is repaired, and so is longer.
            if !String(buffer: buffer).contains("\u{FFFD}") { #expect(again == buffer) }
        }
        #expect(understood > 100)
    }
}
