import ControlClient
import Dispatch
import Glibc
import Synchronization

/// A server on a Unix socket that plays back bytes: one connection after the other, a script for each.
final class ScriptedServer: Sendable {
    enum Step {
        case send(String)
        /// One `write` for each byte.
        case sendBytewise(String)
        /// Goes on once the test calls ``proceed()``.
        case await
        /// Leaves the connection open until the client closes it.
        case awaitClose
        /// Nobody listens from now on.
        case end
    }

    let path: String
    private let scripts: [[Step]]
    private let listener: Int32
    private let gate = DispatchSemaphore(value: 0)
    private let received = Mutex<[String]>([])

    convenience init(_ script: [Step]) throws { try self.init(connections: [script]) }

    init(connections scripts: [[Step]]) throws {
        self.scripts = scripts
        path = Self.temporaryPath()
        listener = try Self.bind(path)
        guard listen(listener, 4) == 0 else { throw Failure(code: errno) }
        var thread = pthread_t()
        let created = pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<ScriptedServer>.fromOpaque(context).takeRetainedValue().serve() }
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        guard created == 0 else { throw Failure(code: created) }
        pthread_detach(thread)
    }

    deinit {
        close(listener)
        unlink(path)
    }

    struct Failure: Error {
        var code: Int32
    }

    /// A client of this server.
    func client(limits: ControlLimits = ControlLimits()) -> ControlClient {
        ControlClient(socket: ControlSocket(candidates: [path]), limits: limits)
    }

    /// What the client has sent: head and body.
    var request: String { requests.first ?? "" }
    /// The same of all connections so far.
    var requests: [String] { received.withLock { $0 } }

    func proceed() { gate.signal() }

    /// A socket file that nobody listens on.
    static func leaveStaleFile() throws -> String {
        let path = temporaryPath()
        close(try bind(path))
        return path
    }

    static func temporaryPath() -> String {
        "/tmp/wsctl-test-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    }

    private static func bind(_ path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw Failure(code: errno) }
        return descriptor
    }

    private func serve() { for script in scripts { serve(script) } }

    private func serve(_ script: [Step]) {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        defer { close(connection) }
        readRequest(connection)
        for step in script {
            switch step {
            case .send(let text): send(Array(text.utf8), connection)
            case .sendBytewise(let text): for byte in text.utf8 { send([byte], connection) }
            case .await: gate.wait()
            case .awaitClose:
                var byte: UInt8 = 0
                while read(connection, &byte, 1) > 0 {}
            case .end: shutdown(listener, Int32(SHUT_RDWR))
            }
        }
    }

    private func send(_ bytes: [UInt8], _ connection: Int32) {
        _ = Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    private func readRequest(_ connection: Int32) {
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 {
                let length = parts[0].split(separator: "\r\n").lazy
                    .compactMap { $0.lowercased().hasPrefix("content-length: ") ? Int($0.dropFirst(16)) : nil }.first
                if parts[1].utf8.count >= length ?? 0 { break }
            }
            let count = read(connection, &buffer, buffer.count)
            guard count > 0 else { break }
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
        received.withLock { [text] in $0.append(text) }
    }
}
