internal import Model
internal import NIOCore

/// Writes one after the other into space that was made for all of it: what stands in the way of every message does not ask a
/// buffer for each piece. Too little space is a fault of the caller's and stops the program.
struct ByteCursor {
    private let start: UnsafeMutableRawPointer
    private let space: Int
    private(set) var count = 0

    fileprivate init(_ space: UnsafeMutableRawBufferPointer) {
        // A buffer that was asked for at least one byte has an address.
        start = space.baseAddress!
        self.space = space.count
    }

    @inline(__always)
    private mutating func take(_ length: Int) -> UnsafeMutableRawPointer {
        precondition(length <= space - count, "Make room for \(length) more bytes")
        let place = start + count
        count += length
        return place
    }

    @inline(__always)
    mutating func put(_ byte: UInt8) {
        take(1).storeBytes(of: byte, as: UInt8.self)
    }

    @inline(__always)
    mutating func put(_ text: StaticString) {
        let length = text.utf8CodeUnitCount
        take(length).copyMemory(from: text.utf8Start, byteCount: length)
    }

    @inline(__always)
    mutating func put(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        take(bytes.count).copyMemory(from: source, byteCount: bytes.count)
    }

    /// Little-endian.
    @inline(__always)
    mutating func putInteger<T: FixedWidthInteger>(_ value: T) {
        take(MemoryLayout<T>.size).storeBytes(of: value.littleEndian, as: T.self)
    }

    /// Bytes that ``putName(_:)`` takes at most.
    @inline(__always)
    static func nameRoom(_ text: String?) -> Int { text.map { 2 + $0.utf8.count } ?? 0 }

    /// `u16` length and bytes; what is longer is cut.
    @inline(__always)
    mutating func putName(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            let length = min(bytes.count, Int(UInt16.max))
            putInteger(UInt16(truncatingIfNeeded: length))
            put(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<length]))
        }
    }
}

// MARK: - JSON

extension ByteCursor {
    /// Most bytes that a text takes as a JSON string.
    @inline(__always)
    static func room(_ text: String?) -> Int { text.map { 6 * $0.utf8.count + 2 } ?? 0 }

    /// A JSON string, quotation marks included. Only what must be is escaped (RFC 8259 section 7).
    mutating func putString(_ text: String) {
        var text = text
        put(UInt8(ascii: "\""))
        text.withUTF8 { bytes in
            let needsEscape = bytes.contains { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }
            guard needsEscape else { return put(UnsafeRawBufferPointer(bytes)) }
            for byte in bytes { putEscaped(byte) }
        }
        put(UInt8(ascii: "\""))
    }

    private mutating func putEscaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): put("\\\"")
        case UInt8(ascii: "\\"): put("\\\\")
        case 0x08: put("\\b")
        case 0x09: put("\\t")
        case 0x0A: put("\\n")
        case 0x0C: put("\\f")
        case 0x0D: put("\\r")
        case 0..<0x20:
            put("\\u00")
            let digits: StaticString = "0123456789abcdef"
            put(digits.utf8Start[Int(byte >> 4)])
            put(digits.utf8Start[Int(byte & 15)])
        default: put(byte)
        }
    }

    /// Decimal digits of the largest number.
    static let maxDigits = 20

    mutating func putNumber(_ value: UInt64) {
        var length = 1
        var bound: UInt64 = 10
        while value >= bound {
            length += 1
            guard length < Self.maxDigits else { break }
            bound *= 10
        }
        let place = take(length)
        var rest = value
        for index in stride(from: length - 1, through: 0, by: -1) {
            place.storeBytes(
                of: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10), toByteOffset: index, as: UInt8.self)
            rest /= 10
        }
    }

    mutating func putNumber(_ value: Int64) {
        if value < 0 { put(UInt8(ascii: "-")) }
        putNumber(value.magnitude)
    }

    /// Digits of ``Base32`` for the largest number.
    static let maxBase32 = Base32.maxLength

    mutating func putBase32(_ value: UInt64) {
        let length = Base32.length(of: value)
        Base32.write(value, to: UnsafeMutableRawBufferPointer(start: take(length), count: length))
    }

    /// A client's id as a JSON string.
    mutating func putClient(_ client: ClientID) {
        put(UInt8(ascii: "\""))
        putBase32(client.boot.rawValue)
        put(UInt8(ascii: "-"))
        putBase32(client.serial)
        put(UInt8(ascii: "\""))
    }
}

extension ByteBuffer {
    /// Makes room for `space` bytes and writes as many as `body` does.
    @inline(__always)
    mutating func writeAtOnce(space: Int, _ body: (inout ByteCursor) -> Void) {
        writeWithUnsafeMutableBytes(minimumWritableBytes: max(1, space)) { bytes in
            var cursor = ByteCursor(bytes)
            body(&cursor)
            return cursor.count
        }
    }
}
