import FoundationEssentials
import Glibc
import NIOPosix

/// A caller of the control socket that reads a stream piece by piece and hangs up when it likes.
final class StreamReader: Sendable {
    private let descriptor: CInt

    /// Asks; the answer is read by ``read(until:)``.
    init(_ path: String, _ target: String) throws {
        descriptor = try HTTPExchange.open(path)
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let request = "GET \(target) HTTP/1.1\r\nHost: wsd\r\n\r\n"
        _ = request.withCString { write(descriptor, $0, strlen($0)) }
    }

    /// What has come since the last call, as soon as it holds `text`; all there was when the stream ends or is silent for 10 s.
    func read(until text: String) async throws -> String {
        try await HTTPExchange.threads.runIfActive { [descriptor] in
            var all = ""
            var buffer = [UInt8](repeating: 0, count: 64 * 1024)
            while !all.contains(text) {
                let count = Glibc.read(descriptor, &buffer, buffer.count)
                guard count > 0 else { break }
                all += String(decoding: buffer[..<count], as: UTF8.self)
            }
            return all
        }
    }

    func hangUp() { close(descriptor) }

    /// The values in a piece of a chunked answer; lines that are none (sizes of chunks, the head) are left out.
    static func values<Value: Decodable>(_ type: Value.Type, in text: String) -> [Value] {
        text.split { $0.isNewline }.compactMap { try? JSONDecoder().decode(type, from: Data($0.utf8)) }
    }
}
