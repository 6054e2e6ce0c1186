import NIOCore

/// What waits to be written to one link, as a row of bounded pieces, and how far the kernel has taken it.
///
/// A batch at a time is handed to the channel, so that progress shows while a long queue drains and no piece is ever
/// copied to make room for more.
struct LinkOutput {
    /// A piece that has reached this size is left alone; the next frame begins a new one.
    static let pieceSize = 128 * 1024
    /// Pieces handed over at once.
    static let batchPieces = 4

    private var pieces = CircularBuffer<ByteBuffer>()
    /// Storage of a written piece, to be filled again.
    private var spare: ByteBuffer?
    /// End position of the batch that the channel has.
    private var writing: UInt64?
    /// Bytes ever queued.
    private(set) var enqueued: UInt64 = 0
    /// Bytes of them that the kernel has.
    private(set) var flushed: UInt64 = 0

    /// Bytes queued that the kernel does not have.
    var waiting: Int { Int(clamping: enqueued - flushed) }

    /// A batch is on its way.
    var isWriting: Bool { writing != nil }

    mutating func append(_ write: (inout ByteBuffer) -> Void) {
        if pieces.last.map({ $0.readableBytes >= Self.pieceSize }) ?? true {
            var piece = spare ?? ByteBuffer()
            spare = nil
            piece.clear()
            pieces.append(piece)
        }
        let last = pieces.index(before: pieces.endIndex)
        let before = pieces[last].writerIndex
        write(&pieces[last])
        enqueued += UInt64(pieces[last].writerIndex - before)
    }

    /// The next batch, unless one is on its way or nothing waits.
    mutating func takeBatch() -> [ByteBuffer]? {
        guard writing == nil, !pieces.isEmpty else { return nil }
        let batch = Array(pieces.prefix(Self.batchPieces))
        pieces.removeFirst(batch.count)
        let left = pieces.reduce(0) { $0 + $1.readableBytes }
        writing = enqueued - UInt64(left)
        return batch
    }

    /// The kernel has taken the batch; returns how far it has taken the whole.
    mutating func batchWritten(reusing piece: ByteBuffer?) -> UInt64 {
        if let end = writing {
            flushed = end
            writing = nil
        }
        if let piece, piece.capacity <= 2 * Self.pieceSize { spare = piece }
        return flushed
    }
}
