import Model
import NIOCore

/// What one connection keeps for permessage-deflate. One that is idle keeps the windows of the directions with takeover:
/// up to 32 KiB of the peer's messages as bytes, and a whole zlib stream for its own.
final class DeflateContext: @unchecked Sendable {
    let parameters: DeflateParameters
    let role: WebSocketRole
    var pool: DeflatePool
    /// The end of the peer's messages, where it keeps its window. Owned by this object alone.
    private(set) var received = ByteBuffer()
    /// For own messages, where this side keeps its window; made for the first.
    private var deflater: Deflater?
    /// What own messages may refer to, until `deflater` is made.
    private var sentWindow: ByteBuffer?

    init(parameters: DeflateParameters, role: WebSocketRole, pool: DeflatePool) {
        self.parameters = parameters
        self.role = role
        self.pool = pool
    }

    /// For a copy of the connection that goes its own way.
    func copy() -> DeflateContext {
        let copy = DeflateContext(parameters: parameters, role: role, pool: pool)
        copy.received = ByteBuffer(bytes: received.readableBytesView)
        copy.sentWindow = sentWindow ?? deflater?.window()
        return copy
    }

    var receiving: DeflateParameters.Direction { parameters.direction(from: role == .server ? .client : .server) }
    var sending: DeflateParameters.Direction { parameters.direction(from: role) }

    /// Bytes kept between messages.
    var heldBytes: Int {
        let own = deflater == nil ? 0 : Deflater.size(windowBits: sending.windowBits, pool.configuration.memoryLevel)
        return received.capacity + (sentWindow?.readableBytes ?? 0) + own
    }

    func inflate(_ compressed: ByteBuffer, limit: Int) -> Inflater.Result? {
        guard receiving.contextTakeover else { return pool.inflate(compressed, window: nil, limit: limit) }
        let result = pool.inflate(compressed, window: received, limit: limit)
        if case .message(let message)? = result { keep(message) }
        return result
    }

    /// Moves the window on. A peer that was granted 8 bits may be a zlib, which then uses 9.
    private func keep(_ message: ByteBuffer) {
        let size = 1 << Int(DeflateParameters.sendableWindowBits.clamped(receiving.windowBits))
        if message.readableBytes >= size {
            received.clear()
        } else {
            let surplus = received.readableBytes + message.readableBytes - size
            if surplus > 0 { received.moveReaderIndex(forwardBy: surplus) }
            received.discardReadBytes()
        }
        message.withUnsafeReadableBytes { bytes in
            _ = received.writeBytes(UnsafeRawBufferPointer(rebasing: bytes.suffix(size)))
        }
    }

    /// Appends a message, compressed if that is worth it.
    func write(_ kind: MessageKind, _ payload: ByteBuffer, maskingKey: UInt32?, into out: inout ByteBuffer) {
        let isWritten: Void?
        if !sending.contextTakeover {
            isWritten = pool.compressed(payload, windowBits: sending.windowBits) {
                FrameWriter.writeCompressed(kind, deflated: $0, maskingKey: maskingKey, into: &out)
            }
        } else if payload.readableBytes >= pool.configuration.threshold, let deflater = ownDeflater() {
            // What was compressed has to be sent: it is in the window.
            isWritten = pool.compressed(payload, limit: nil, with: deflater) {
                FrameWriter.writeCompressed(kind, deflated: $0, maskingKey: maskingKey, into: &out)
            }
            if isWritten == nil { deflater.reset() }
        } else {
            isWritten = nil
        }
        guard isWritten == nil else { return }
        FrameWriter.write(kind == .text ? .text : .binary, payload, maskingKey: maskingKey, into: &out)
    }

    private func ownDeflater() -> Deflater? {
        if let deflater { return deflater }
        guard DeflateParameters.sendableWindowBits.contains(sending.windowBits) else { return nil }
        let made = pool.makeDeflater(windowBits: sending.windowBits)
        if let sentWindow { made?.begin(with: sentWindow) }
        sentWindow = nil
        deflater = made
        return made
    }
}

extension DeflateContext {
    /// A context as another process needs it to go on.
    struct Snapshot: Codable {
        var parameters: DeflateParameters
        var received: ByteBuffer
        var sent: ByteBuffer?
    }

    var snapshot: Snapshot {
        Snapshot(parameters: parameters, received: received, sent: sentWindow ?? deflater?.window())
    }

    convenience init(_ snapshot: Snapshot, role: WebSocketRole) {
        self.init(parameters: snapshot.parameters, role: role, pool: DeflatePool())
        received = snapshot.received
        sentWindow = snapshot.sent
    }
}
