import NIOCore

/// Finds and reads the first request head of a connection (RFC 9112 sections 2 to 5).
///
/// Good enough to decide on and perform an upgrade; plain requests go on, byte for byte, to a whole HTTP parser. The caller
/// keeps the bytes and shows all of them each time; what was searched before is not searched again.
package struct RequestHeadParser: Sendable {
    /// Most fields in a head; above: 431.
    package static let maxFields = 128

    private let maxSize: Int
    /// Bytes already searched for the end of the head.
    private var searched = 0

    package enum Result: Sendable {
        case incomplete
        /// `length` counts all bytes of the head with the empty lines before it and the empty line that ends it.
        case head(RequestHead, length: Int)
        case refused(HTTPRefusal)
    }

    /// - Parameter maxSize: bytes of a head; above: 431.
    package init(maxSize: Int) {
        self.maxSize = maxSize
    }

    /// Looks at all bytes received so far; `bytes` must begin with what the call before saw.
    package mutating func parse(_ bytes: ByteBuffer) -> Result {
        let found: Int? = bytes.withUnsafeReadableBytes { whole in
            guard let start = HeadLines.start(of: whole) else { return nil }
            return HeadLines.endOfHead(whole, from: max(start, searched - 3))
        }
        guard let length = found else {
            if let refusal = Self.refusalOfBeginning(bytes) { return .refused(refusal) }
            guard bytes.readableBytes <= maxSize else { return .refused(.headTooLarge(maxSize)) }
            searched = bytes.readableBytes
            return .incomplete
        }
        guard length <= maxSize, let slice = bytes.getSlice(at: bytes.readerIndex, length: length) else {
            return .refused(.headTooLarge(maxSize))
        }
        do throws(HTTPRefusal) {
            return .head(try Self.read(slice), length: length)
        } catch {
            return .refused(error)
        }
    }
}

extension RequestHeadParser {
    /// What no HTTP request begins with is refused at once instead of waited for.
    private static func refusalOfBeginning(_ bytes: ByteBuffer) -> HTTPRefusal? {
        bytes.withUnsafeReadableBytes { whole in
            guard let start = HeadLines.start(of: whole) else { return nil }
            if whole[start] == 0x16 {
                return HTTPRefusal(
                    status: 400,
                    sentence:
                        "This port speaks plain HTTP and ws://. For https:// and wss:// set tls.certificate and tls.key, or "
                        + "let a proxy before it speak them."
                )
            }
            return whole[start].isTokenCharacter ? nil : .malformed("This is not an HTTP request.")
        }
    }

    private static func read(_ bytes: ByteBuffer) throws(HTTPRefusal) -> RequestHead {
        try bytes.withUnsafeReadableBytes { (whole) throws(HTTPRefusal) in
            var cursor = LineCursor(bytes: whole, index: HeadLines.start(of: whole) ?? 0)
            let (method, target, minorVersion) = try requestLine(cursor.next(), in: whole)
            var lines: [RequestHead.Line] = []
            lines.reserveCapacity(16)
            while true {
                let line = try cursor.next()
                if line.isEmpty { break }
                guard lines.count < maxFields else {
                    throw HTTPRefusal(status: 431, sentence: "The request head has more than \(maxFields) fields.")
                }
                lines.append(try HeadLines.field(line, in: whole))
            }
            let head = RequestHead(
                method: method,
                target: target,
                minorVersion: minorVersion,
                bytes: bytes,
                lines: lines
            )
            switch head.count("host") {
            case 1: break
            case 0 where minorVersion == 0: break
            case 0: throw .malformed("The Host field is missing.")
            default: throw .malformed("There is more than one Host field.")
            }
            return head
        }
    }

    private static func requestLine(
        _ line: Range<Int>,
        in bytes: UnsafeRawBufferPointer
    ) throws(HTTPRefusal) -> (method: String, target: String, minorVersion: UInt8) {
        let wrong = "The request line is not `METHOD target HTTP/1.1`."
        guard let first = bytes[line].firstIndex(of: 0x20), first > line.lowerBound,
            bytes[line.lowerBound..<first].allSatisfy(\.isTokenCharacter)
        else { throw .malformed(wrong) }
        let afterMethod = first + 1
        guard let second = bytes[afterMethod..<line.upperBound].firstIndex(of: 0x20), second > afterMethod,
            bytes[afterMethod..<second].allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw .malformed(wrong) }
        let version = bytes[(second + 1)..<line.upperBound]
        guard version.count == 8, version.starts(with: "HTTP/".utf8) else { throw .malformed(wrong) }
        guard version.starts(with: "HTTP/1.".utf8), let minor = version.last, minor == 0x30 || minor == 0x31 else {
            throw HTTPRefusal(status: 505, sentence: "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
        }
        return (
            String(decoding: bytes[line.lowerBound..<first], as: UTF8.self),
            String(decoding: bytes[afterMethod..<second], as: UTF8.self),
            minor - 0x30
        )
    }
}

extension HTTPRefusal {
    static func malformed(_ sentence: String) -> HTTPRefusal { HTTPRefusal(status: 400, sentence: sentence) }

    static func headTooLarge(_ limit: Int) -> HTTPRefusal {
        HTTPRefusal(status: 431, sentence: "The request head is larger than \(limit) bytes.")
    }
}
