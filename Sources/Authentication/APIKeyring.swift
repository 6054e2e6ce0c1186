import Crypto
import Model

/// The keys of the backend's API.
package struct APIKeyring: Sendable {
    private let keys: [(key: APIKey, digest: [UInt8])]

    /// - Parameter keys: as the configuration's loader has checked them; one whose digest is no SHA-256 fits nothing.
    package init(_ keys: [APIKey]) {
        self.keys = keys.compactMap { key in Self.bytes(key.sha256).map { (key, $0) } }
    }

    /// The key whose secret this is. Takes the same time whichever it is, or none.
    package func authenticate(_ bearer: String) -> APIKey? {
        let digest = Array(SHA256.hash(data: Array(bearer.utf8)))
        var found: Int?
        for (index, candidate) in keys.enumerated() where Self.isEqual(candidate.digest, digest) { found = index }
        return found.map { keys[$0].key }
    }

    /// In constant time for arrays of one length.
    private static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices { difference |= left[index] ^ right[index] }
        return difference == 0
    }

    /// 32 bytes from 64 hexadecimal digits.
    private static func bytes(_ hexadecimal: String) -> [UInt8]? {
        let digits = hexadecimal.utf8.map { UInt8(Character(Unicode.Scalar($0)).hexDigitValue ?? 255) }
        guard digits.count == SHA256.byteCount * 2, digits.allSatisfy({ $0 < 16 }) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
