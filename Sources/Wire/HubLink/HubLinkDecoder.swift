internal import Model
package import NIOCore

/// Takes the hub link's byte stream apart, in either direction, however the bytes arrive.
///
/// Payloads are slices of what was appended. Drop them before the next `append`, or the rest of the input is copied.
/// After an error the stream cannot be read on; every further call throws the same error.
package struct HubLinkDecoder: Sendable {
    /// Longest frame (without its length field) whatever the limit says: what a peer may make us wait for.
    package static let absoluteMaxFrame = 64 * 1024 * 1024
    /// Room in a frame besides the payload: fixed fields, a room name, a full `register`.
    package static let slack = 128 * 1024

    /// `maxPayload`: largest data of a publication, bytes (`websocket.maxMessageSize`, or what the control API
    /// admits).
    package init(maxPayload: Int) {
        let (sum, overflow) = maxPayload.addingReportingOverflow(Self.slack)
        maxFrame = overflow ? Self.absoluteMaxFrame : max(Self.slack, min(sum, Self.absoluteMaxFrame))
    }

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
    private static func workerFrame(_ type: HubLinkFrameType, _ body: inout ByteBuffer) -> WorkerFrame? {
        switch type {
        case .hello:
            guard
                let (version, boot, slot) = body.readMultipleIntegers(
                    endianness: .little, as: (UInt16, UInt64, UInt32).self),
                body.readableBytes == 0
            else { return nil }
            return .hello(version: version, boot: BootID(rawValue: boot), slot: Int(slot))
        case .register:
            guard let room = readRoom(&body), body.readableBytes.isMultiple(of: 8) else { return nil }
            var clients: [UInt64] = []
            clients.reserveCapacity(body.readableBytes / 8)
            while let client = body.readInteger(endianness: .little, as: UInt64.self) { clients.append(client) }
            return .register(room: room, clients: clients)
        case .snapshotEnd:
            guard let replay = body.readInteger(endianness: .little, as: UInt64.self), body.readableBytes == 0 else {
                return nil
            }
            return .snapshotEnd(replayThrough: replay)
        case .operation:
            guard
                let (sequence, code, client) = body.readMultipleIntegers(
                    endianness: .little, as: (UInt64, UInt8, UInt64).self),
                let kind = HubOperationKind(rawValue: code), let room = readRoom(&body)
            else { return nil }
            return .operation(
                HubOperationFrame(sequence: sequence, kind: kind, client: client, room: room, payload: body))
        case .welcome, .ack, .delivery:
            return nil
        }
    }

    private static func hubFrame(_ type: HubLinkFrameType, _ body: inout ByteBuffer) -> HubFrame? {
        switch type {
        case .welcome:
            guard
                let (version, boot, late) = body.readMultipleIntegers(
                    endianness: .little, as: (UInt16, UInt64, UInt8).self),
                body.readableBytes == 0, late <= 1
            else { return nil }
            return .welcome(version: version, boot: BootID(rawValue: boot), isLate: late == 1)
        case .ack:
            guard
                let (acknowledged, settled) = body.readMultipleIntegers(endianness: .little, as: (UInt64, UInt64).self),
                body.readableBytes == 0, settled <= acknowledged
            else { return nil }
            return .ack(acknowledged: acknowledged, settled: settled)
        case .delivery:
            guard
                let (origin, sequence, code, subjectBoot, subjectSerial) = body.readMultipleIntegers(
                    endianness: .little, as: (UInt64, UInt64, UInt8, UInt64, UInt64).self),
                let kind = HubDeliveryKind(rawValue: code), let room = readRoom(&body)
            else { return nil }
            let delivery = HubDelivery(
                origin: BootID(rawValue: origin), sequence: sequence, kind: kind,
                subject: ClientID(boot: BootID(rawValue: subjectBoot), serial: subjectSerial), room: room)
            return .delivery(HubDeliveryFrame(delivery: delivery, payload: body))
        case .hello, .register, .snapshotEnd, .operation:
            return nil
        }
    }

    private static func readRoom(_ body: inout ByteBuffer) -> RoomName? {
        guard let length = body.readInteger(endianness: .little, as: UInt16.self),
            let text = body.readString(length: Int(length))
        else { return nil }
        return RoomName(text)
    }
}
