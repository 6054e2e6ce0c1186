package import Model
package import NIOCore

/// Writes frames of the hub link: `u32` length of what follows, `u8` type, fields; integers little-endian, a room
/// name as
/// `u16` length and bytes, a payload as all that is left.
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

    /// Writes as many frames as ``clientsPerRegister`` asks for.
    package static func register(
        room: RoomName, clients: some RandomAccessCollection<UInt64>, into buffer: inout ByteBuffer
    ) {
        var rest = clients[...]
        while !rest.isEmpty {
            let piece = rest.prefix(clientsPerRegister)
            frame(.register, into: &buffer) {
                writeRoom(room, into: &$0)
                for client in piece { $0.writeInteger(client, endianness: .little) }
            }
            rest = rest.dropFirst(piece.count)
        }
    }

    package static func snapshotEnd(replayThrough: UInt64, into buffer: inout ByteBuffer) {
        frame(.snapshotEnd, into: &buffer) { $0.writeInteger(replayThrough, endianness: .little) }
    }

    /// `payload`: the data of a publication, otherwise empty.
    package static func operation(
        sequence: UInt64, kind: HubOperationKind, client: UInt64, room: RoomName, payload: ByteBufferView,
        into buffer: inout ByteBuffer
    ) {
        frame(.operation, into: &buffer) {
            $0.writeMultipleIntegers(sequence, kind.rawValue, client, endianness: .little)
            writeRoom(room, into: &$0)
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
        frame(.delivery, into: &buffer) {
            $0.writeMultipleIntegers(
                delivery.origin.rawValue, delivery.sequence, delivery.kind.rawValue, delivery.subject.boot.rawValue,
                delivery.subject.serial, endianness: .little)
            writeRoom(delivery.room, into: &$0)
            $0.writeBytes(payload)
        }
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

    private static func writeRoom(_ room: RoomName, into buffer: inout ByteBuffer) {
        let bytes = room.text.utf8.prefix(Int(UInt16.max))
        buffer.writeInteger(UInt16(clamping: bytes.count), endianness: .little)
        buffer.writeBytes(bytes)
    }
}

/// Second field of every frame.
enum HubLinkFrameType: UInt8 {
    case hello = 1
    case register = 2
    case snapshotEnd = 3
    case operation = 4
    case welcome = 16
    case ack = 17
    case delivery = 18
}
