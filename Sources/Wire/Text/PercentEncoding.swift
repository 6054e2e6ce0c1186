/// Percent-encoding (RFC 3986 section 2.1).
package enum PercentEncoding {
    /// Only unreserved characters stay (RFC 3986 section 2.3): a segment of a path, or a value in a query.
    package static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            default:
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `nil`: a broken escape, or not UTF-8 once decoded.
    ///
    /// - Parameter plusIsSpace: as in forms (application/x-www-form-urlencoded), hence in queries.
    package static func decode(_ text: some Collection<UInt8>, plusIsSpace: Bool) -> String? {
        var plain: [UInt8] = []
        plain.reserveCapacity(text.count)
        var rest = text.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.next().flatMap(JSONString.hexDigit),
                    let low = rest.next().flatMap(JSONString.hexDigit)
                else { return nil }
                plain.append(UInt8(truncatingIfNeeded: high << 4 | low))
            case UInt8(ascii: "+") where plusIsSpace: plain.append(0x20)
            default: plain.append(byte)
            }
        }
        return String(validating: plain, as: UTF8.self)
    }
}
