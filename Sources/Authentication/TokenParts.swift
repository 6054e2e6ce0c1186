import Wire

/// A token in compact serialisation (RFC 7515 section 7.1), decoded but not checked.
struct TokenParts {
    let header: TokenHeader
    let payload: [UInt8]
    let signature: [UInt8]
    /// What the signature is of.
    let signed: [UInt8]

    init(_ token: String) throws(TokenFailure) {
        let bytes = Array(token.utf8)
        guard bytes.count <= TokenVerifier.maxLength else { throw .tooLong }
        let parts = bytes.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
            let signature = Base64URL.decode(parts[2]), !signature.isEmpty
        else { throw .malformed }
        self.header = try TokenHeader(header)
        self.payload = payload
        self.signature = signature
        signed = Array(bytes[..<parts[1].endIndex])
    }
}

/// The members of a token's header that count (RFC 7515 section 4.1).
struct TokenHeader {
    let algorithm: String
    let keyIdentifier: String?

    init(_ json: [UInt8]) throws(TokenFailure) {
        var algorithm: String?
        var keyIdentifier: String?
        var isUsable = String(validating: json, as: UTF8.self) != nil
        do {
            try json.withUnsafeBytes { bytes in
                try JSONScanner.scanObject(bytes) { key, value in
                    if JSONString.equals(key, in: bytes, "alg") {
                        algorithm = JSONString.text(value, in: bytes)
                    } else if JSONString.equals(key, in: bytes, "kid") {
                        keyIdentifier = JSONString.text(value, in: bytes)
                        if keyIdentifier == nil { isUsable = false }
                    } else if JSONString.equals(key, in: bytes, "crit") {
                        // An extension that has to be understood (section 4.1.11): none is.
                        isUsable = false
                    }
                }
            }
        } catch {
            throw .malformed
        }
        guard isUsable, let algorithm else { throw .malformed }
        self.algorithm = algorithm
        self.keyIdentifier = keyIdentifier
    }
}

/// base64url without padding (RFC 7515 section 2); anything else is refused, so that a token has one spelling.
enum Base64URL {
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(text.count * 3 / 4)
        var bits: UInt32 = 0
        var count = 0
        for byte in text {
            guard let value = value(of: byte) else { return nil }
            bits = bits << 6 | value
            count += 6
            if count >= 8 {
                count -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
                bits &= (1 << UInt32(count)) - 1
            }
        }
        return bits == 0 ? result : nil
    }

    private static func value(of byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
