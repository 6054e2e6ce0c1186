import Crypto
import FoundationEssentials
import NIOCore

/// Signs calls, so that the application can tell them from others': HMAC-SHA256 over the time, a dot and the body.
struct WebhookSigner {
    /// Bytes of a secret at least.
    static let minSecret = 16
    /// Bytes of its file.
    static let maxFile = 64 * 1024

    private let key: SymmetricKey

    init(secret: [UInt8]) {
        key = SymmetricKey(data: secret)
    }

    /// All bytes of the file but one trailing line break.
    init(file path: String) throws(WebhookError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw WebhookError(
                "\(path) (webhooks.secretFile) cannot be read; check that it exists and who may read it.")
        }
        var secret = Array(data)
        if secret.last == 0x0A { secret.removeLast() }
        if secret.last == 0x0D { secret.removeLast() }
        guard (Self.minSecret...Self.maxFile).contains(secret.count) else {
            throw WebhookError(
                "The secret in \(path) (webhooks.secretFile) must have \(Self.minSecret) to \(Self.maxFile) bytes;"
                    + " make one with `openssl rand -base64 48`.")
        }
        self.init(secret: secret)
    }

    /// The value of `Wsd-Signature`.
    func signature(timestamp: String, body: ByteBuffer) -> String {
        var code = HMAC<SHA256>(key: key)
        code.update(data: Array(timestamp.utf8))
        code.update(data: [UInt8(ascii: ".")])
        body.withUnsafeReadableBytes { code.update(data: $0) }
        var text = "v1="
        for byte in code.finalize() {
            text += String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }
        return text
    }
}
