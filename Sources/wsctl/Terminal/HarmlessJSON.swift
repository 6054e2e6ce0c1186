/// JSON that a terminal may be shown as it is.
enum HarmlessJSON {
    /// The same values, in which DEL, C1 controls and the marks that reorder text are escaped. (Outside of strings JSON has no such
    /// characters; C0 controls it has escaped itself, RFC 8259 section 7.)
    static func of(_ json: [UInt8]) -> [UInt8] {
        guard json.contains(where: heads.contains) else { return json }
        var result: [UInt8] = []
        result.reserveCapacity(json.count)
        var rest = json[...]
        while let first = rest.first {
            guard heads.contains(first), let (scalar, length) = decode(rest), isActedUpon(scalar) else {
                result.append(first)
                rest = rest.dropFirst()
                continue
            }
            let hex = String(scalar, radix: 16)
            result += "\\u\(String(repeating: "0", count: 4 - hex.count))\(hex)".utf8
            rest = rest.dropFirst(length)
        }
        return result
    }

    /// What such a character may begin with.
    private static let heads: [UInt8] = [0x7f, 0xc2, 0xd8, 0xe2, 0xef]

    private static func isActedUpon(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x7f..<0xa0, 0x061c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x206f, 0xfeff: true
        default: false
        }
    }

    /// A character of UTF-8 below U+10000 at the beginning, and its bytes.
    private static func decode(_ bytes: ArraySlice<UInt8>) -> (scalar: UInt32, length: Int)? {
        let head = Array(bytes.prefix(3)).map(UInt32.init)
        func tail(_ index: Int) -> UInt32? {
            head.indices.contains(index) && head[index] & 0xc0 == 0x80 ? head[index] & 0x3f : nil
        }
        switch head[0] {
        case 0x7f: return (0x7f, 1)
        case 0xc2..<0xe0: return tail(1).map { ((head[0] & 0x1f) << 6 | $0, 2) }
        case 0xe0..<0xf0:
            guard let second = tail(1), let third = tail(2) else { return nil }
            return ((head[0] & 0x0f) << 12 | second << 6 | third, 3)
        default: return nil
        }
    }
}
