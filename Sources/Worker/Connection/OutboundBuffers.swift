import NIOCore

/// Buffers in which connections collect what they write in a turn of the event loop; lent, so that an idle one holds
/// none. Confined to its event loop.
struct OutboundBuffers {
    /// Size of a new buffer at least, bytes.
    static let capacity = 2048
    /// A buffer that grew above this is not kept, bytes; also the size of a new one at most.
    static let largestKept = 16 * 1024
    /// Bytes of buffers kept for the next turn.
    static let keptBytes = 4 * 1024 * 1024

    private var spare: [ByteBuffer] = []
    private var spareBytes = 0
    /// What was written into a buffer lately: new ones are made so large that they need not grow. Rises at once and falls
    /// slowly.
    private var expected = capacity

    init() {}

    mutating func take() -> ByteBuffer {
        guard let buffer = spare.popLast() else { return ByteBufferAllocator().buffer(capacity: expected) }
        spareBytes -= buffer.storageCapacity
        return buffer
    }

    /// Empties `buffer` and keeps its storage, unless somebody else still reads it.
    mutating func recycle(_ buffer: inout ByteBuffer) {
        let written = min(max(buffer.writerIndex, Self.capacity), Self.largestKept)
        expected = written > expected ? written : expected - (expected - written) / 64
        let size = buffer.storageCapacity
        if spareBytes + size <= Self.keptBytes, (Self.capacity...Self.largestKept).contains(size) {
            let isOwned: Void? = buffer.modifyIfUniquelyOwned { $0.clear() }
            if isOwned != nil {
                spare.append(buffer)
                spareBytes += size
            }
        }
        buffer = ByteBuffer()
    }
}
