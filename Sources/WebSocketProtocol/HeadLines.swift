/// What heads of requests and responses have in common (RFC 9112 sections 2 and 5).
enum HeadLines {
    /// Index of the first byte behind empty lines; `nil` while there are only such.
    static func start(of bytes: UnsafeRawBufferPointer) -> Int? {
        bytes.firstIndex { $0 != 0x0D && $0 != 0x0A }
    }

    /// Index behind the CR LF CR LF that ends the head.
    static func endOfHead(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var index = start
        while index + 4 <= bytes.count {
            // The byte at +3 tells how far the pattern may be shifted at least.
            switch bytes[index + 3] {
            case 0x0A:
                if bytes[index] == 0x0D, bytes[index + 1] == 0x0A, bytes[index + 2] == 0x0D { return index + 4 }
                index += 2
            case 0x0D: index += 1
            default: index += 4
            }
        }
        return nil
    }

    static func field(
        _ line: Range<Int>,
        in bytes: UnsafeRawBufferPointer
    ) throws(HTTPRefusal) -> RequestHead.Line {
        guard !bytes[line.lowerBound].isBlank else {
            throw .malformed("A field is folded over several lines, which is obsolete.")
        }
        guard let colon = bytes[line].firstIndex(of: UInt8(ascii: ":")), colon > line.lowerBound,
            bytes[line.lowerBound..<colon].allSatisfy(\.isTokenCharacter)
        else { throw .malformed("A line of the head is not `Name: value`.") }
        var (first, last) = (colon + 1, line.upperBound)
        while first < last, bytes[first].isBlank { first += 1 }
        while first < last, bytes[last - 1].isBlank { last -= 1 }
        guard bytes[first..<last].allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw .malformed("A field of the head contains a control character.")
        }
        return RequestHead.Line(
            name: UInt32(clamping: line.lowerBound)..<UInt32(clamping: colon),
            value: UInt32(clamping: first)..<UInt32(clamping: last)
        )
    }
}

/// Steps through lines that end with CR LF.
struct LineCursor {
    let bytes: UnsafeRawBufferPointer
    var index: Int

    mutating func next() throws(HTTPRefusal) -> Range<Int> {
        let start = index
        guard let feed = bytes[start...].firstIndex(of: 0x0A) else { throw .malformed("The head breaks off.") }
        guard feed > start, bytes[feed - 1] == 0x0D else {
            throw .malformed("A line of the head does not end with CR LF.")
        }
        index = feed + 1
        return start..<(feed - 1)
    }
}
