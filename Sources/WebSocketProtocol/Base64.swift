/// Base 64 (RFC 4648 section 4), as much of it as the handshake needs.
enum Base64 {
    private static let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

    /// Whether the text is 16 bytes in base 64: 22 digits and two `=`. Unused bits of the last digit are not looked at.
    static func encodesSixteenBytes(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count == 24, text[22] == UInt8(ascii: "="), text[23] == UInt8(ascii: "=") else { return false }
        return text[..<22].allSatisfy(isDigit)
    }

    static func encode(_ bytes: some RandomAccessCollection<UInt8>) -> String {
        let count = (bytes.count + 2) / 3 * 4
        return String(unsafeUninitializedCapacity: count) { out in
            var rest = bytes[...]
            var index = 0
            while let first = rest.popFirst() {
                let second = rest.popFirst()
                let third = rest.popFirst()
                let group = UInt32(first) << 16 | UInt32(second ?? 0) << 8 | UInt32(third ?? 0)
                out[index] = digit(group >> 18)
                out[index + 1] = digit(group >> 12)
                out[index + 2] = second == nil ? UInt8(ascii: "=") : digit(group >> 6)
                out[index + 3] = third == nil ? UInt8(ascii: "=") : digit(group)
                index += 4
            }
            return count
        }
    }

    private static func digit(_ sixBits: UInt32) -> UInt8 { alphabet.utf8Start[Int(sixBits & 63)] }

    private static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
