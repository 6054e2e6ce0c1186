import Crypto

/// A short name for bytes.
package enum Fingerprint {
    /// SHA-256 as 64 lower-case hexadecimal digits.
    package static func sha256(_ bytes: [UInt8]) -> String {
        SHA256.hash(data: bytes).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
