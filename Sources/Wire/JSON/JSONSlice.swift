/// Where one JSON value lies in the bytes it was read from, without the white space around it.
package struct JSONSlice: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case object, array, string, number, boolean, null
    }

    package var kind: Kind
    /// Offsets from the start of the scanned bytes; a string's quotation marks are included.
    package var range: Range<Int>
    /// A string with at least one backslash. Without one, its contents are the text itself.
    package var hasEscapes: Bool

    package init(kind: Kind, range: Range<Int>, hasEscapes: Bool = false) {
        self.kind = kind
        self.range = range
        self.hasEscapes = hasEscapes
    }
}

/// The bytes are not what was asked for. Offsets are bytes from the start.
package enum JSONError: Error, Hashable, Sendable {
    /// Not JSON (RFC 8259): this byte, or the end, was not expected.
    case invalid(offset: Int)
    /// Arrays and objects nested deeper than ``JSONScanner/maxDepth``.
    case tooDeep(offset: Int)
    /// JSON, but not an object.
    case notAnObject
    /// JSON, but not an array.
    case notAnArray
}
