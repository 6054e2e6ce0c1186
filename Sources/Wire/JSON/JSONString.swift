/// Contents of the strings that ``JSONScanner`` has found and checked.
package enum JSONString {
    /// The text of a scanned string; `nil` where the slice is no string, or names half a surrogate pair, which no
    /// UTF-8 text can hold.
    package static func text(_ slice: JSONSlice, in bytes: UnsafeRawBufferPointer) -> String? {
        guard let contents = contents(slice, in: bytes) else { return nil }
        guard slice.hasEscapes else { return String(decoding: contents, as: UTF8.self) }
        return unescaped(contents)
    }

    /// Whether the text of a scanned string is `text`, however it is escaped.
    package static func equals(_ slice: JSONSlice, in bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard !slice.hasEscapes else { return self.text(slice, in: bytes).map { equal($0, text) } ?? false }
        let length = text.utf8CodeUnitCount, start = slice.range.lowerBound + 1
        guard slice.kind == .string, slice.range.count == length + 2, slice.range.upperBound <= bytes.count else {
            return false
        }
        for index in 0..<length where bytes[start + index] != text.utf8Start[index] { return false }
        return true
    }

    private static func equal(_ text: String, _ expected: StaticString) -> Bool {
        text.utf8.elementsEqual(UnsafeBufferPointer(start: expected.utf8Start, count: expected.utf8CodeUnitCount))
    }

    /// Value of a hexadecimal digit.
    @inline(__always)
    static func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte &- UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte &- UInt8(ascii: "a") &+ 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte &- UInt8(ascii: "A") &+ 10)
        default: nil
        }
    }

    /// What stands between the quotation marks.
    private static func contents(_ slice: JSONSlice, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard slice.kind == .string, slice.range.count >= 2, slice.range.upperBound <= bytes.count else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[slice.range.lowerBound + 1..<slice.range.upperBound - 1])
    }

    private static func unescaped(_ contents: UnsafeRawBufferPointer) -> String? {
        var plain: [UInt8] = []
        plain.reserveCapacity(contents.count)
        var rest = contents[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                plain.append(byte)
                continue
            }
            guard let scalar = escape(&rest) else { return nil }
            plain.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        }
        return String(decoding: plain, as: UTF8.self)
    }

    /// Reads what follows a backslash.
    private static func escape(_ rest: inout Slice<UnsafeRawBufferPointer>) -> Unicode.Scalar? {
        switch rest.popFirst() {
        case UInt8(ascii: "b"): return "\u{08}"
        case UInt8(ascii: "f"): return "\u{0C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            guard let unit = codeUnit(&rest) else { return nil }
            guard unit & 0xFC00 == 0xD800 else { return Unicode.Scalar(unit) }
            guard rest.popFirst() == UInt8(ascii: "\\"), rest.popFirst() == UInt8(ascii: "u"),
                let low = codeUnit(&rest), low & 0xFC00 == 0xDC00
            else { return nil }
            return Unicode.Scalar(0x10000 + (unit & 0x3FF) << 10 + (low & 0x3FF))
        case let other?: return Unicode.Scalar(other)
        case nil: return nil
        }
    }

    private static func codeUnit(_ rest: inout Slice<UnsafeRawBufferPointer>) -> UInt32? {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = rest.popFirst(), let digit = hexDigit(byte) else { return nil }
            unit = unit << 4 | digit
        }
        return unit
    }
}
