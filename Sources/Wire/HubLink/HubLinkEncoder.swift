package import Model
package import NIOCore

/// Writes frames of the hub link: `u32` length of what follows, `u8` type, fields; integers little-endian, a name as `u16`
/// length and bytes, a payload as all that is left.
package enum HubLinkEncoder {
    /// Clients in one `register` frame; a bigger room comes in several.
    package static let clientsPerRegister = 4096

    package static func hello(boot: BootID, slot: Int, into buffer: inout ByteBuffer) {
        frame(.hello, into: &buffer) {
            $0.writeMultipleIntegers(
                UInt16(truncatingIfNeeded: WsdVersion.link), boot.rawValue, UInt32(truncatingIfNeeded: slot),
                endianness: .little)
        }
    }

    package static func client(
        _ client: UInt64, _ registration: ClientRegistration, into buffer: inout ByteBuffer
    ) {
        frame(.client, into: &buffer) {
            $0.writeInteger(client, endianness: .little)
            $0.writeRegistration(registration)
        }
    }

    /// Writes as many frames as ``clientsPerRegister`` asks for.
    package static func register(
        room: RoomName, clients: some RandomAccessCollection<UInt64>, into buffer: inout ByteBuffer
    ) {
        var rest = clients[...]
        while !rest.isEmpty {
            let piece = rest.prefix(clientsPerRegister)
            frame(.register, into: &buffer) {
                $0.writeName(room.text)
                for client in piece { $0.writeInteger(client, endianness: .little) }
            }
            rest = rest.dropFirst(piece.count)
        }
    }

    package static func position(room: RoomName, _ position: RoomPosition, into buffer: inout ByteBuffer) {
        frame(.position, into: &buffer) {
            $0.writeName(room.text)
            $0.writePosition(position)
        }
    }

    package static func snapshotEnd(replayThrough: UInt64, into buffer: inout ByteBuffer) {
        frame(.snapshotEnd, into: &buffer) { $0.writeInteger(replayThrough, endianness: .little) }
    }

    /// `payload`: the data of a publication, or a backend request; otherwise empty.
    package static func operation(
        _ operation: HubOperation, payload: ByteBufferView, into buffer: inout ByteBuffer
    ) {
        if case .publish(let room, let messageID, let includesSender) = operation.request {
            let space =
                HubLinkFrameHead.size + 27 + ByteCursor.nameRoom(room.text) + ByteCursor.nameRoom(messageID?.text)
            return frame(.operation, space: space, payload: payload, into: &buffer) { cursor in
                cursor.putHead(operation)
                cursor.putPublish(room, messageID, includesSender: includesSender)
            }
        }
        frame(.operation, into: &buffer) {
            $0.writeAtOnce(space: 25) { $0.putHead(operation) }
            $0.writeRequest(operation.request)
            $0.writeBytes(payload)
        }
    }

    package static func welcome(boot: BootID, isLate: Bool, into buffer: inout ByteBuffer) {
        frame(.welcome, into: &buffer) {
            $0.writeMultipleIntegers(
                UInt16(truncatingIfNeeded: WsdVersion.link), boot.rawValue, UInt8(isLate ? 1 : 0), endianness: .little)
        }
    }

    package static func ack(acknowledged: UInt64, settled: UInt64, into buffer: inout ByteBuffer) {
        frame(.ack, into: &buffer) { $0.writeMultipleIntegers(acknowledged, settled, endianness: .little) }
    }

    /// The bytes are the same for every link: encode once, append to each.
    package static func delivery(_ delivery: HubDelivery, payload: ByteBufferView, into buffer: inout ByteBuffer) {
        let space =
            HubLinkFrameHead.size + 74 + ByteCursor.nameRoom(delivery.room.text)
            + ByteCursor.nameRoom(delivery.user?.text) + ByteCursor.nameRoom(delivery.messageID?.text)
        frame(.delivery, space: space, payload: payload, into: &buffer) { $0.putDelivery(delivery) }
    }

    package static func reply(sequence: UInt64, _ reply: HubReply, into buffer: inout ByteBuffer) {
        frame(.reply, into: &buffer) {
            $0.writeInteger(sequence, endianness: .little)
            $0.writeReply(reply)
        }
    }

    package static func command(_ command: HubCommand, into buffer: inout ByteBuffer) {
        frame(.command, into: &buffer) { $0.writeCommand(command) }
    }

    /// One entry of a room's history; ``HubLinkDecoder/historyEntry(_:)`` reads it.
    package static func historyEntry(_ entry: HistoryEntry, into buffer: inout ByteBuffer) {
        buffer.writeEntry(entry)
    }

    private static func frame(
        _ type: HubLinkFrameType, into buffer: inout ByteBuffer, _ body: (inout ByteBuffer) -> Void
    ) {
        let start = buffer.writerIndex
        buffer.writeMultipleIntegers(UInt32(0), type.rawValue, endianness: .little)
        body(&buffer)
        let length = UInt32(clamping: buffer.writerIndex - start - 4)
        buffer.setInteger(length, at: start, endianness: .little)
    }

    /// The same in one piece, for what there is much of. `space`: bytes of the frame but for its payload, at most.
    @inline(__always)
    private static func frame(
        _ type: HubLinkFrameType, space: Int, payload: ByteBufferView, into buffer: inout ByteBuffer,
        _ body: (inout ByteCursor) -> Void
    ) {
        let start = buffer.writerIndex
        payload.withUnsafeBytes { payload in
            buffer.writeAtOnce(space: space + payload.count) { cursor in
                cursor.putInteger(UInt32(0))
                cursor.putInteger(type.rawValue)
                body(&cursor)
                cursor.put(payload)
            }
        }
        buffer.setInteger(UInt32(clamping: buffer.writerIndex - start - 4), at: start, endianness: .little)
    }
}

/// Length and type.
private enum HubLinkFrameHead {
    static let size = 5
}

/// Second field of every frame.
enum HubLinkFrameType: UInt8 {
    case hello = 1
    case register = 2
    case snapshotEnd = 3
    case operation = 4
    case client = 5
    case position = 6
    case welcome = 16
    case ack = 17
    case delivery = 18
    case reply = 19
    case command = 20
}

/// Second byte of what is asked of the hub. Values are never used for another thing.
enum HubRequestCode: UInt8 {
    case join = 1
    case leave = 2
    case publish = 3
    case broadcast = 4
    case direct = 5
    case confirm = 6
    case connect = 7
    case identify = 8
    case disconnect = 9
    case history = 10
    case presence = 11
    case typing = 12
    case read = 13
    case backend = 14
}

enum HubReplyCode: UInt8 {
    case refused = 1
    case published = 2
    case joined = 3
    case history = 4
    case presence = 5
    case admitted = 6
    case rejected = 7
    case backend = 8
}

enum HubCommandCode: UInt8 {
    case close = 1
    case subscribe = 2
    case unsubscribe = 3
    case roomEmpty = 4
    case membersMissed = 5
}
