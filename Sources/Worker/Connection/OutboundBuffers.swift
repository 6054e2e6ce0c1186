import NIOCore

/// Buffers in which connections collect what they write in a turn of the event loop; lent, so that an idle one holds
/// none. Confined to its event loop.
struct OutboundBuffers {
    /// Size of a new buffer, bytes.
    static let capacity = 2048
    /// A buffer that grew above this is not kept, bytes.
    static let largestKept = 16 * 1024
    /// Buffers kept for the next turn.
    static let kept = 256

    private var spare: [ByteBuffer] = []

    init() {}

    mutating func take() -> ByteBuffer {
        spare.popLast() ?? ByteBufferAllocator().buffer(capacity: Self.capacity)
    }

    /// Empties `buffer` and keeps its storage, unless somebody else still reads it.
    mutating func recycle(_ buffer: inout ByteBuffer) {
        if spare.count < Self.kept, (Self.capacity...Self.largestKept).contains(buffer.storageCapacity) {
            let isOwned: Void? = buffer.modifyIfUniquelyOwned { $0.clear() }
            if isOwned != nil { spare.append(buffer) }
        }
        buffer = ByteBuffer()
    }
}
