/// Checks one JSON text strictly (RFC 8259) and says where the members of its top-level object lie, without building
/// any value and without allocating.
///
/// Bytes above 0x7F inside strings are taken as they are: whether they are UTF-8 is the frame layer's to check. They
/// are never accepted outside of strings. A byte order mark is refused.
package struct JSONScanner {
    /// Deepest nesting of arrays and objects, the top-level object counted.
    package static let maxDepth = 128

    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    private init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Calls `member` with key and value of each top-level member, in the order they stand; a key given twice comes
    /// twice. Throws for anything but one object with white space around it; members before the fault have been
    /// reported then.
    package static func scanObject(
        _ bytes: UnsafeRawBufferPointer, member: (_ key: JSONSlice, _ value: JSONSlice) -> Void
    ) throws(JSONError) {
        var scanner = JSONScanner(bytes)
        scanner.skipWhiteSpace()
        guard scanner.peek() == UInt8(ascii: "{") else {
            _ = try scanner.value(depth: 0)
            try scanner.end()
            throw .notAnObject
        }
        scanner.offset += 1
        scanner.skipWhiteSpace()
        if scanner.peek() == UInt8(ascii: "}") {
            scanner.offset += 1
            return try scanner.end()
        }
        while true {
            let key = try scanner.string()
            try scanner.colon()
            let value = try scanner.value(depth: 1)
            member(key, value)
            scanner.skipWhiteSpace()
            guard try scanner.comma(orEnd: UInt8(ascii: "}")) else { break }
            scanner.skipWhiteSpace()
        }
        try scanner.end()
    }

    /// Calls `element` with each element of the one array, in order. Throws for anything but one array with white space around
    /// it; elements before the fault have been reported then.
    package static func scanArray(
        _ bytes: UnsafeRawBufferPointer, element: (_ value: JSONSlice) -> Void
    ) throws(JSONError) {
        var scanner = JSONScanner(bytes)
        scanner.skipWhiteSpace()
        guard scanner.peek() == UInt8(ascii: "[") else {
            _ = try scanner.value(depth: 0)
            try scanner.end()
            throw .notAnArray
        }
        scanner.offset += 1
        scanner.skipWhiteSpace()
        if scanner.peek() == UInt8(ascii: "]") {
            scanner.offset += 1
            return try scanner.end()
        }
        repeat {
            scanner.skipWhiteSpace()
            element(try scanner.value(depth: 1))
            scanner.skipWhiteSpace()
        } while try scanner.comma(orEnd: UInt8(ascii: "]"))
        try scanner.end()
    }

    /// The one value of a JSON text of any kind.
    package static func scanValue(_ bytes: UnsafeRawBufferPointer) throws(JSONError) -> JSONSlice {
        var scanner = JSONScanner(bytes)
        scanner.skipWhiteSpace()
        let value = try scanner.value(depth: 0)
        try scanner.end()
        return value
    }
}

// MARK: - Values

extension JSONScanner {
    /// Reads the value that begins at `offset`. `depth`: containers around it.
    private mutating func value(depth: Int) throws(JSONError) -> JSONSlice {
        let start = offset
        switch peek() {
        case UInt8(ascii: "\""):
            return try string()
        case UInt8(ascii: "{"):
            try container(depth: depth)
            return JSONSlice(kind: .object, range: start..<offset)
        case UInt8(ascii: "["):
            try container(depth: depth)
            return JSONSlice(kind: .array, range: start..<offset)
        default:
            return JSONSlice(kind: try scalar(), range: start..<offset)
        }
    }

    /// A literal or number.
    private mutating func scalar() throws(JSONError) -> JSONSlice.Kind {
        switch peek() {
        case UInt8(ascii: "t"):
            try literal("true")
            return .boolean
        case UInt8(ascii: "f"):
            try literal("false")
            return .boolean
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        default:
            try number()
            return .number
        }
    }

    private mutating func literal(_ text: StaticString) throws(JSONError) {
        for index in 0..<text.utf8CodeUnitCount {
            guard peek() == text.utf8Start[index] else { throw .invalid(offset: offset) }
            offset += 1
        }
    }

    /// RFC 8259 section 6.
    private mutating func number() throws(JSONError) {
        if peek() == UInt8(ascii: "-") { offset += 1 }
        if peek() == UInt8(ascii: "0") {
            offset += 1
        } else {
            try digits()
        }
        if peek() == UInt8(ascii: ".") {
            offset += 1
            try digits()
        }
        if let mark = peek(), mark | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { offset += 1 }
            try digits()
        }
    }

    private mutating func digits() throws(JSONError) {
        let start = offset
        while let byte = peek(), byte &- UInt8(ascii: "0") < 10 { offset += 1 }
        guard offset > start else { throw .invalid(offset: offset) }
    }

    /// Reads the array or object that begins at `offset` to its end, without recursion.
    private mutating func container(depth outer: Int) throws(JSONError) {
        var open = ContainerStack()
        repeat {
            guard outer + open.count < Self.maxDepth else { throw .tooDeep(offset: offset) }
            open.push(isObject: bytes[offset] == UInt8(ascii: "{"))
            offset += 1
            skipWhiteSpace()
            if peek() == open.closingByte {
                offset += 1
                open.pop()
                if try closeFinished(&open) { return }
            }
            if try !nextContainer(&open) { return }
        } while true
    }

    /// Reads on inside the innermost container up to the next one that opens; `false`: the outermost has closed.
    private mutating func nextContainer(_ open: inout ContainerStack) throws(JSONError) -> Bool {
        while true {
            if open.isObject {
                _ = try string()
                try colon()
            }
            switch peek() {
            case UInt8(ascii: "{"), UInt8(ascii: "["): return true
            case UInt8(ascii: "\""): _ = try string()
            default: _ = try scalar()
            }
            if try closeFinished(&open) { return false }
        }
    }

    /// After a value: closes every container that ends here and stops where the next value or key begins; `true`: the
    /// outermost has closed.
    private mutating func closeFinished(_ open: inout ContainerStack) throws(JSONError) -> Bool {
        while open.count > 0 {
            skipWhiteSpace()
            if try comma(orEnd: open.closingByte) {
                skipWhiteSpace()
                return false
            }
            open.pop()
        }
        return true
    }
}

// MARK: - Strings and tokens

extension JSONScanner {
    /// Reads a string with its quotation marks.
    private mutating func string() throws(JSONError) -> JSONSlice {
        guard peek() == UInt8(ascii: "\"") else { throw .invalid(offset: offset) }
        let start = offset
        offset += 1
        var hasEscapes = false
        while true {
            skipPlainText()
            guard let byte = peek() else { throw .invalid(offset: offset) }
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                return JSONSlice(kind: .string, range: start..<offset, hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try escape()
            default:
                // A raw control character.
                throw .invalid(offset: offset)
            }
        }
    }

    /// Moves to the next quotation mark, backslash or control character, eight bytes at a time: in each word the
    /// lowest byte that is marked really is one of them; marks above it may be carried over.
    private mutating func skipPlainText() {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        while offset &+ 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            let quote = word ^ (ones &* 0x22)
            let backslash = word ^ (ones &* 0x5C)
            let marks =
                ((quote &- ones) & ~quote | (backslash &- ones) & ~backslash | (word &- ones &* 0x20) & ~word) & highs
            if marks != 0 {
                offset &+= marks.trailingZeroBitCount / 8
                return
            }
            offset &+= 8
        }
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return }
            offset &+= 1
        }
    }

    private mutating func escape() throws(JSONError) {
        offset += 1
        switch peek() {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset += 1
        case UInt8(ascii: "u"):
            offset += 1
            for _ in 0..<4 {
                guard let byte = peek(), JSONString.hexDigit(byte) != nil else { throw .invalid(offset: offset) }
                offset += 1
            }
        default:
            throw .invalid(offset: offset)
        }
    }

    @inline(__always)
    private func peek() -> UInt8? {
        offset < bytes.count ? bytes[offset] : nil
    }

    @inline(__always)
    private mutating func skipWhiteSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    /// Takes the colon after a key, with the white space on both sides.
    private mutating func colon() throws(JSONError) {
        skipWhiteSpace()
        guard peek() == UInt8(ascii: ":") else { throw .invalid(offset: offset) }
        offset += 1
        skipWhiteSpace()
    }

    /// Takes a comma (`true`) or the end of the container (`false`).
    private mutating func comma(orEnd end: UInt8) throws(JSONError) -> Bool {
        let byte = peek()
        guard byte == UInt8(ascii: ",") || byte == end else { throw .invalid(offset: offset) }
        offset += 1
        return byte != end
    }

    /// Nothing but white space may follow the one value.
    private mutating func end() throws(JSONError) {
        skipWhiteSpace()
        guard offset == bytes.count else { throw .invalid(offset: offset) }
    }
}

/// Which of the open containers are objects: one bit for each, the innermost lowest.
private struct ContainerStack {
    private var low: UInt64 = 0
    private var high: UInt64 = 0
    private(set) var count = 0

    var isObject: Bool { low & 1 == 1 }

    var closingByte: UInt8 { isObject ? UInt8(ascii: "}") : UInt8(ascii: "]") }

    mutating func push(isObject: Bool) {
        high = high << 1 | low >> 63
        low = low << 1 | (isObject ? 1 : 0)
        count += 1
    }

    mutating func pop() {
        low = low >> 1 | high << 63
        high >>= 1
        count -= 1
    }
}
