import NIOCore

/// Cuts a byte stream that comes in pieces into lines (NDJSON). Lines that hold nothing but white space are left out.
package struct LineSplitter: Sendable {
    private var buffer = ByteBuffer()
    /// Bytes at the front of `buffer` that are known to hold no line end.
    private var searched = 0
    private let limit: Int

    /// - Parameter limit: bytes of the longest line taken.
    package init(limit: Int) {
        self.limit = limit
    }

    package mutating func append(_ piece: ByteBuffer) {
        var piece = piece
        if buffer.readableBytes == 0 {
            buffer = piece
            searched = 0
        } else {
            buffer.writeBuffer(&piece)
        }
    }

    /// The next whole line without its end; `nil` until more has come.
    ///
    /// Throws ``ControlClientError/garbled(_:)`` for a line above the limit.
    package mutating func next() throws -> [UInt8]? {
        while true {
            let view = buffer.readableBytesView
            guard let end = view[(view.startIndex + searched)...].firstIndex(of: UInt8(ascii: "\n")) else {
                searched = view.count
                guard searched <= limit else { throw tooLong }
                return nil
            }
            let length = end - view.startIndex
            guard length <= limit else { throw tooLong }
            let line = buffer.readBytes(length: length) ?? []
            buffer.moveReaderIndex(forwardBy: 1)
            searched = 0
            if !line.allSatisfy(Self.isSpace) { return line }
        }
    }

    /// What is left once the stream has ended: a last line without a line end, or nothing.
    package mutating func rest() throws -> [UInt8]? {
        guard buffer.readableBytes <= limit else { throw tooLong }
        let line = buffer.readBytes(length: buffer.readableBytes) ?? []
        searched = 0
        return line.allSatisfy(Self.isSpace) ? nil : line
    }

    private var tooLong: ControlClientError { .garbled("a line of more than \(limit) bytes") }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
