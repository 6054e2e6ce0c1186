package import Model
package import NIOCore

/// Takes the hub link's byte stream apart, in either direction, however the bytes arrive.
///
/// Payloads are slices of what was appended. Drop them before the next `append`, or the rest of the input is copied.
/// After an error the stream cannot be read on; every further call throws the same error.
package struct HubLinkDecoder: Sendable {
    /// Longest frame (without its length field) whatever the limit says: what a peer may make us wait for. The largest of
    /// ``maxPayload(_:)``, with ``slack``, is below it.
    package static let absoluteMaxFrame = 96 * 1024 * 1024
    /// Room in a frame besides the payload: fixed fields, a room name, a full `register`.
    package static let slack = 128 * 1024

    /// `maxPayload`: longest payload or reply, bytes; ``maxPayload(_:)`` of the configuration.
    package init(maxPayload: Int) {
        let (sum, overflow) = maxPayload.addingReportingOverflow(Self.slack)
        maxFrame = overflow ? Self.absoluteMaxFrame : max(Self.slack, min(sum, Self.absoluteMaxFrame))
    }

    /// What can come over a link: a client's message, a call of the backend, a page of what was missed with who is there.
    package static func maxPayload(_ configuration: WsdConfiguration) -> Int {
        configuration.history.recoveryPage + configuration.maxMessageData + presence
    }

    /// What an answer about presence may take, bytes.
    private static let presence = 512 * 1024

    private let maxFrame: Int
    private var buffer = ByteBuffer()
    private var failure: HubLinkError?

    /// Bytes that wait for the rest of their frame, or to be taken.
    package var buffered: Int { buffer.readableBytes }

    package mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            var bytes = bytes
            buffer.discardReadBytes()
            buffer.writeBuffer(&bytes)
        }
    }

    /// Next frame of a worker, or `nil` until more bytes come.
    package mutating func nextWorkerFrame() throws(HubLinkError) -> WorkerFrame? {
        guard case (let type, var body)? = try nextFrame() else { return nil }
        guard let frame = Self.workerFrame(type, &body) else { throw fail(.malformed(type: type.rawValue)) }
        return frame
    }

    /// Next frame of the hub, or `nil` until more bytes come.
    package mutating func nextHubFrame() throws(HubLinkError) -> HubFrame? {
        guard case (let type, var body)? = try nextFrame() else { return nil }
        guard let frame = Self.hubFrame(type, &body) else { throw fail(.malformed(type: type.rawValue)) }
        return frame
    }

    private mutating func nextFrame() throws(HubLinkError) -> (HubLinkFrameType, ByteBuffer)? {
        if let failure { throw failure }
        guard let header = buffer.getInteger(at: buffer.readerIndex, endianness: .little, as: UInt32.self) else {
            return nil
        }
        let length = Int(header)
        guard length <= maxFrame else { throw fail(.frameTooLong(length)) }
        guard length > 0 else { throw fail(.malformed(type: 0)) }
        guard buffer.readableBytes >= 4 + length else { return nil }
        buffer.moveReaderIndex(forwardBy: 4)
        guard var body = buffer.readSlice(length: length), let code = body.readInteger(as: UInt8.self) else {
            throw fail(.malformed(type: 0))
        }
        // Let go of the bytes, so that whoever read them can use the storage again.
        if buffer.readableBytes == 0 { buffer = ByteBuffer() }
        guard let type = HubLinkFrameType(rawValue: code) else { throw fail(.unknownType(code)) }
        return (type, body)
    }

    private mutating func fail(_ error: HubLinkError) -> HubLinkError {
        failure = error
        buffer = ByteBuffer()
        return error
    }
}

extension HubLinkDecoder {
    /// What ``HubLinkEncoder/historyEntry(_:into:)`` wrote; `nil`: it is not that.
    package static func historyEntry(_ bytes: inout ByteBuffer) -> HistoryEntry? { bytes.readEntry() }

    private static func workerFrame(_ type: HubLinkFrameType, _ body: inout ByteBuffer) -> WorkerFrame? {
        switch type {
        case .hello:
            guard
                let (version, boot, slot) = body.readMultipleIntegers(
                    endianness: .little, as: (UInt16, UInt64, UInt32).self)
            else { return nil }
            return whole(.hello(version: version, boot: BootID(rawValue: boot), slot: Int(slot)), body)
        case .client:
            guard let client = body.read(UInt64.self), let registration = body.readRegistration() else { return nil }
            return whole(.client(client, registration), body)
        case .register:
            guard let room = body.readRoom(), body.readableBytes.isMultiple(of: 8) else { return nil }
            var clients: [UInt64] = []
            clients.reserveCapacity(body.readableBytes / 8)
            while let client = body.read(UInt64.self) { clients.append(client) }
            return .register(room: room, clients: clients)
        case .position:
            guard let room = body.readRoom(), let position = body.readPosition() else { return nil }
            return whole(.position(room: room, position), body)
        case .snapshotEnd:
            guard let replay = body.read(UInt64.self) else { return nil }
            return whole(.snapshotEnd(replayThrough: replay), body)
        case .operation:
            guard let operation = body.readOperation() else { return nil }
            return .operation(operation, payload: body)
        case .welcome, .ack, .delivery, .reply, .command:
            return nil
        }
    }

    private static func hubFrame(_ type: HubLinkFrameType, _ body: inout ByteBuffer) -> HubFrame? {
        switch type {
        case .welcome:
            guard
                let (version, boot, late) = body.readMultipleIntegers(
                    endianness: .little, as: (UInt16, UInt64, UInt8).self), late <= 1
            else { return nil }
            return whole(.welcome(version: version, boot: BootID(rawValue: boot), isLate: late == 1), body)
        case .ack:
            guard
                let (acknowledged, settled) = body.readMultipleIntegers(endianness: .little, as: (UInt64, UInt64).self),
                settled <= acknowledged
            else { return nil }
            return whole(.ack(acknowledged: acknowledged, settled: settled), body)
        case .delivery:
            guard let delivery = body.readDelivery() else { return nil }
            return .delivery(delivery, payload: body)
        case .reply:
            guard let sequence = body.read(UInt64.self), let reply = body.readReply() else { return nil }
            return whole(.reply(sequence: sequence, reply), body)
        case .command:
            guard let command = body.readCommand() else { return nil }
            return whole(.command(command), body)
        case .hello, .client, .register, .position, .snapshotEnd, .operation:
            return nil
        }
    }

    /// The frame, unless bytes are left over.
    private static func whole<Frame>(_ frame: Frame, _ body: ByteBuffer) -> Frame? {
        body.readableBytes == 0 ? frame : nil
    }
}
