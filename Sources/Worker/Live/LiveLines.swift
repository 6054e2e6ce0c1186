import NIOCore

/// Cuts a byte stream that comes in pieces into lines; empty ones are left out.
struct LiveLines {
    /// Bytes of a line: the figures of hundreds of processes stay below.
    static let maxLine = 1024 * 1024

    enum Next: Equatable {
        /// Without its end.
        case line(ByteBuffer)
        case incomplete
        /// Nothing after it can be understood.
        case tooLong
    }

    private var buffer = ByteBuffer()
    /// Readable bytes that are known to hold no line feed.
    private var searched = 0

    init() {}

    mutating func append(_ piece: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = piece
            searched = 0
        } else {
            buffer.discardReadBytes()
            buffer.writeImmutableBuffer(piece)
        }
    }

    mutating func next() -> Next {
        while true {
            let view = buffer.readableBytesView
            guard let end = view[(view.startIndex + searched)...].firstIndex(of: UInt8(ascii: "\n")) else {
                searched = view.count
                return searched > Self.maxLine ? .tooLong : .incomplete
            }
            let length = end - view.startIndex
            searched = 0
            guard length <= Self.maxLine, let line = buffer.readSlice(length: length) else { return .tooLong }
            buffer.moveReaderIndex(forwardBy: 1)
            if length > 0 { return .line(line) }
        }
    }
}
