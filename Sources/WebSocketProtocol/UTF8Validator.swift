/// Checks UTF-8 (RFC 3629) piece by piece; a piece may end within a character.
package struct UTF8Validator: Equatable, Sendable, Codable {
    /// Continuation bytes that are still due.
    private var due: UInt8 = 0
    /// Bounds of the next continuation byte; narrower than 0x80…0xBF behind E0, ED, F0 and F4 (no overlong forms, no
    /// surrogates, nothing above U+10FFFF).
    private var low: UInt8 = 0x80
    private var high: UInt8 = 0xBF

    package init() {}

    /// Whether everything so far ends with a whole character.
    package var isComplete: Bool { due == 0 }

    /// Takes the next piece; `false` as soon as no continuation could make the text valid. Do not go on after that.
    package mutating func consume(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        let count = bytes.count
        var index = 0
        while index < count {
            if due == 0 {
                index = Self.skipASCII(base, from: index, count: count)
                guard index < count else { return true }
                guard begin(base.load(fromByteOffset: index, as: UInt8.self)) else { return false }
                index &+= 1
            } else {
                let byte = base.load(fromByteOffset: index, as: UInt8.self)
                guard byte >= low, byte <= high else { return false }
                due &-= 1
                low = 0x80
                high = 0xBF
                index &+= 1
            }
        }
        return true
    }

    /// A whole text at once.
    package static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var validator = UTF8Validator()
        return validator.consume(bytes) && validator.isComplete
    }

    /// Index of the first byte from `start` that may not be ASCII, at most `count`.
    @inline(__always)
    private static func skipASCII(_ base: UnsafeRawPointer, from start: Int, count: Int) -> Int {
        var index = start
        while count &- index >= 16 {
            let pair = base.loadUnaligned(fromByteOffset: index, as: SIMD2<UInt64>.self)
            guard (pair[0] | pair[1]) & 0x8080_8080_8080_8080 == 0 else { break }
            index &+= 16
        }
        while index < count, base.load(fromByteOffset: index, as: UInt8.self) < 0x80 { index &+= 1 }
        return index
    }

    /// Takes the first byte of a character that is not ASCII.
    @inline(__always)
    private mutating func begin(_ byte: UInt8) -> Bool {
        switch byte {
        case 0xC2...0xDF: due = 1
        case 0xE0:
            due = 2
            low = 0xA0
        case 0xE1...0xEC, 0xEE...0xEF: due = 2
        case 0xED:
            due = 2
            high = 0x9F
        case 0xF0:
            due = 3
            low = 0x90
        case 0xF1...0xF3: due = 3
        case 0xF4:
            due = 3
            high = 0x8F
        default: return false
        }
        return true
    }
}
