/// One JSON value as text (UTF-8), byte for byte as it came. Codable as a string that holds the text.
package struct JSONText: Hashable, Sendable, Codable, CustomStringConvertible {
    package let bytes: [UInt8]

    /// `bytes` must be one JSON value; what comes from a peer goes through ``init(checking:)``.
    package init(unchecked bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
    }

    /// `nil`: not UTF-8, or not one JSON value.
    package init?(checking bytes: [UInt8]) {
        guard String(validating: bytes, as: UTF8.self) != nil,
            bytes.withUnsafeBytes({ (try? JSONScanner.scanValue($0)) != nil })
        else { return nil }
        self.bytes = bytes
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let json = JSONText(checking: Array(text.utf8)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "The string holds no JSON value")
        }
        self = json
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    package var description: String { String(decoding: bytes, as: UTF8.self) }
}
