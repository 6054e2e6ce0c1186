internal import FoundationEssentials
package import NIOCore

/// The link between supervisor and child sent something that cannot be understood. Nothing after it can be, either.
package enum ChildLinkError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Longer than ``ChildLinkCodec/maxLine``.
    case lineTooLong
    case notAMessage(String)

    package var description: String {
        switch self {
        case .lineTooLong: "A line of the child link is longer than \(ChildLinkCodec.maxLine) bytes"
        case .notAMessage(let why): "A line of the child link is not a message: \(why)"
        }
    }
}

/// One JSON object a line, in both directions of the child link.
package enum ChildLinkCodec {
    /// Bytes of a line, its line feed included. A call of the backend's API is the longest there is: 1 MiB (`api.maxBody`) of
    /// which every byte may be escaped.
    package static let maxLine = 4 * 1024 * 1024

    /// The message as a line.
    ///
    /// - Throws: ``ChildLinkError/lineTooLong``; ``ChildLinkError/notAMessage(_:)`` for a figure that JSON has no form for (not a
    ///   number, infinite).
    package static func encode(_ message: some Encodable) throws(ChildLinkError) -> ByteBuffer {
        let json: Data
        do {
            json = try JSONEncoder().encode(message)
        } catch {
            throw .notAMessage("\(error)")
        }
        guard json.count < maxLine else { throw .lineTooLong }
        var line = ByteBuffer()
        line.reserveCapacity(json.count + 1)
        line.writeBytes(json)
        line.writeInteger(UInt8(ascii: "\n"))
        return line
    }
}

/// Cuts what arrives into lines and reads them as messages. Keeps the bytes of an unfinished line.
package struct ChildLinkDecoder<Message: Decodable> {
    /// Bytes that arrived and belong to no message yet.
    package private(set) var unread: ByteBuffer
    /// Readable bytes of `unread` that are known to hold no line feed.
    private var scanned = 0

    /// - Parameter unread: what a predecessor left.
    package init(unread: ByteBuffer = ByteBuffer()) {
        self.unread = unread
    }

    package mutating func append(_ bytes: ByteBuffer) {
        var bytes = bytes
        if unread.readableBytes == 0 {
            unread = bytes
            scanned = 0
        } else {
            unread.discardReadBytes()
            unread.writeBuffer(&bytes)
        }
    }

    /// The next message; `nil`: its line is not complete.
    ///
    /// After an error the link must be closed.
    package mutating func next() throws(ChildLinkError) -> Message? {
        let view = unread.readableBytesView
        guard let end = view[(view.startIndex + scanned)...].firstIndex(of: UInt8(ascii: "\n")) else {
            scanned = view.count
            guard scanned < ChildLinkCodec.maxLine else { throw .lineTooLong }
            return nil
        }
        let length = end - view.startIndex
        guard length < ChildLinkCodec.maxLine, let line = unread.readSlice(length: length) else { throw .lineTooLong }
        unread.moveReaderIndex(forwardBy: 1)
        scanned = 0
        do {
            return try JSONDecoder().decode(Message.self, from: Data(line.readableBytesView))
        } catch {
            throw .notAMessage("\(error)")
        }
    }
}
