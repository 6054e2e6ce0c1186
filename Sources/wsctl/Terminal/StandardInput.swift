import ControlClient
import Glibc
import Wire

enum StandardInput {
    /// Bytes of a message; the service takes no more than 64 MiB (websocket.maxMessageSize).
    private static let limit = 64 * 1024 * 1024

    /// All of standard input as text.
    ///
    /// - Parameter noun: What it is to the user.
    static func text(_ noun: String = "message") throws -> String {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = read(STDIN_FILENO, &piece, piece.count)
            if count == 0 { break }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw ControlClientError.system("Standard input cannot be read: \(String(cString: strerror(errno))).")
            }
            bytes += piece[..<count]
            guard bytes.count <= limit else { throw refusal("The \(noun) is longer than 64 MiB.") }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw refusal("The \(noun) is not UTF-8.") }
        return text
    }

    private static func refusal(_ message: String) -> ControlClientError {
        .refused(status: 400, ControlError(code: "bad_request", message: message))
    }
}

enum JSONCheck {
    /// A sentence where `text` is not one JSON value.
    static func complaint(about text: String) -> String? {
        var bytes = Array(text.utf8)
        do {
            _ = try bytes.withUnsafeMutableBytes { try JSONScanner.scanValue(UnsafeRawBufferPointer($0)) }
            return nil
        } catch {
            let shown = PlainText.cut(PlainText.harmless(text), to: 40)
            return """
                The message is not JSON: \(shown). Put it in single quotes for the shell, and text in double quotes of \
                its own: wsctl publish lobby '{"text":"hello"}', wsctl publish lobby '"hello"'
                """
        }
    }
}
