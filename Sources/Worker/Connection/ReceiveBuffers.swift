import NIOCore

/// The one receive buffer of an event loop, lent to whichever connection is being read, so that an idle one holds none.
///
/// ``take()`` gives it away; who got the bytes hands it back with ``giveBack(_:)`` when done. A buffer that is kept
/// instead is simply replaced at the next `take()`. Confined to its event loop.
final class ReceiveBuffers: @unchecked Sendable {
    /// Bytes one read(2) may bring.
    static let capacity = 64 * 1024

    private var spare: ByteBuffer?
    private let allocator = ByteBufferAllocator()

    init() {}

    func take() -> ByteBuffer {
        if let buffer = spare {
            spare = nil
            return buffer
        }
        return allocator.buffer(capacity: Self.capacity)
    }

    func giveBack(_ buffer: ByteBuffer) {
        guard buffer.storageCapacity >= Self.capacity else { return }
        var emptied = buffer
        // The capacity is known to be there, so this only resets the indices if nobody else holds the bytes.
        emptied.moveReaderIndex(to: 0)
        emptied.moveWriterIndex(to: 0)
        spare = emptied
    }
}

/// Makes a NIO channel read into the loop's shared buffer.
///
/// A channel keeps the first buffer it ever read into, so that one is tiny: it brings the first bytes of the request
/// head, and the event loop's next turn brings the rest.
struct SharedReceiveAllocator: RecvByteBufferAllocator {
    private static let firstCapacity = 16

    let buffers: ReceiveBuffers
    private var hasRead = false

    init(buffers: ReceiveBuffers) {
        self.buffers = buffers
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        hasRead ? buffers.take() : allocator.buffer(capacity: Self.firstCapacity)
    }

    /// `nil`: the channel's own pool of buffers is not to be used.
    func nextBufferSize() -> Int? { nil }

    mutating func record(actualReadBytes: Int) -> Bool {
        hasRead = true
        return true
    }
}
