import NIOCore

/// The head of an HTTP/1 request: method, target, version and fields, kept as the bytes that came.
///
/// Fields are looked up in place; nothing becomes a `String` before it is asked for.
package struct RequestHead: Sendable {
    /// Case-sensitive, as sent (`GET`).
    package let method: String
    /// As sent, percent-encoding untouched.
    package let target: String
    /// The `x` of `HTTP/1.x`: 0 or 1.
    package let minorVersion: UInt8

    private let bytes: ByteBuffer
    private let lines: [Line]

    /// Where one field lies, as offsets from the reader index of `bytes`.
    struct Line: Sendable {
        var name: Range<UInt32>
        var value: Range<UInt32>
    }

    init(method: String, target: String, minorVersion: UInt8, bytes: ByteBuffer, lines: [Line]) {
        self.method = method
        self.target = target
        self.minorVersion = minorVersion
        self.bytes = bytes
        self.lines = lines
    }

    /// A head that another parser has read.
    package init(method: String, target: String, minorVersion: UInt8, fields: [HTTPField]) {
        var bytes = ByteBuffer()
        var lines: [Line] = []
        lines.reserveCapacity(fields.count)
        for field in fields {
            let start = UInt32(clamping: bytes.writerIndex)
            bytes.writeString(field.name)
            let middle = UInt32(clamping: bytes.writerIndex)
            bytes.writeString(field.value)
            lines.append(Line(name: start..<middle, value: middle..<UInt32(clamping: bytes.writerIndex)))
        }
        self.init(method: method, target: target, minorVersion: minorVersion, bytes: bytes, lines: lines)
    }

    /// All fields in order, names as sent.
    package var fields: [HTTPField] {
        lines.map { HTTPField(text($0.name), text($0.value)) }
    }

    /// The target's path, without query, percent-encoding untouched; `/` where an absolute target has none.
    package var path: Substring {
        var rest = target.utf8[...]
        if rest.first != UInt8(ascii: "/"), let colon = rest.firstIndex(of: UInt8(ascii: ":")),
            rest[colon...].starts(with: "://".utf8)
        {
            rest = rest[colon...].dropFirst(3).drop { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
            guard rest.first == UInt8(ascii: "/") else { return "/" }
        }
        return Substring(rest.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
    }

    /// The target's query without its `?`; `nil` where there is none.
    package var query: Substring? {
        guard let mark = target.firstIndex(of: "?") else { return nil }
        return target[target.index(after: mark)...].prefix { $0 != "#" }
    }

    /// The value of the first field of that name (any case); bytes that are not UTF-8 become U+FFFD.
    package func first(_ name: StaticString) -> String? {
        for line in lines where matches(line.name, name) { return text(line.value) }
        return nil
    }

    /// How many fields have that name.
    package func count(_ name: StaticString) -> Int {
        lines.reduce(0) { $0 + (matches($1.name, name) ? 1 : 0) }
    }

    /// All values of that name, joined by a comma as RFC 9110 section 5.3 allows; `nil` where there is none.
    package func joined(_ name: StaticString) -> String? {
        var result: String?
        for line in lines where matches(line.name, name) {
            result = result.map { $0 + ", " + text(line.value) } ?? text(line.value)
        }
        return result
    }

    /// Whether a comma-separated list field contains a token (both in any case).
    package func contains(_ token: StaticString, in name: StaticString) -> Bool {
        lines.contains { line in
            matches(line.name, name) && elements(of: line.value).contains { matches($0, token) }
        }
    }

    /// The value's raw bytes to `body`; `nil` where there is no such field.
    func withFirst<Result>(_ name: StaticString, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        for line in lines where matches(line.name, name) {
            return bytes.withUnsafeReadableBytes { whole in
                body(UnsafeRawBufferPointer(rebasing: whole[Self.indices(line.value)]))
            }
        }
        return nil
    }
}

extension RequestHead {
    private static func indices(_ range: Range<UInt32>) -> Range<Int> { Int(range.lowerBound)..<Int(range.upperBound) }

    private func text(_ range: Range<UInt32>) -> String {
        bytes.withUnsafeReadableBytes { String(decoding: $0[Self.indices(range)], as: UTF8.self) }
    }

    private func matches(_ range: Range<UInt32>, _ name: StaticString) -> Bool {
        guard range.count == name.utf8CodeUnitCount else { return false }
        return bytes.withUnsafeReadableBytes { whole in
            for index in 0..<range.count
            where whole[Int(range.lowerBound) + index].asciiLowercase != name.utf8Start[index].asciiLowercase {
                return false
            }
            return true
        }
    }

    /// The elements of a comma-separated list, without surrounding blanks and without empty ones.
    private func elements(of range: Range<UInt32>) -> [Range<UInt32>] {
        bytes.withUnsafeReadableBytes { whole in
            var result: [Range<UInt32>] = []
            var start = range.lowerBound
            while start < range.upperBound {
                var end = start
                while end < range.upperBound, whole[Int(end)] != UInt8(ascii: ",") { end += 1 }
                var (first, last) = (start, end)
                while first < last, whole[Int(first)].isBlank { first += 1 }
                while first < last, whole[Int(last) - 1].isBlank { last -= 1 }
                if first < last { result.append(first..<last) }
                start = end + 1
            }
            return result
        }
    }
}

extension UInt8 {
    var asciiLowercase: UInt8 { self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self }

    /// Space or tab (`OWS`, RFC 9110 section 5.6.3).
    var isBlank: Bool { self == 0x20 || self == 0x09 }

    /// `tchar` (RFC 9110 section 5.6.2).
    var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
