import FoundationEssentials
import Glibc
import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import Wire

/// Speaks to the control API over its Unix socket (HTTP/1.1, one connection a call).
///
/// Every call throws ``ControlClientError``; streams also pass on what their consumer throws.
package struct ControlClient: Sendable {
    package let socket: ControlSocket
    private let limits: ControlLimits

    /// One loop for all calls of the process, kept until it ends.
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    package init(socket: ControlSocket, limits: ControlLimits = ControlLimits()) {
        self.socket = socket
        self.limits = limits
    }

    /// A client of the service that this one reaches now, and of no other: of several candidates it keeps the one that answers.
    package func settled() async throws -> ControlClient {
        guard socket.candidates.count > 1 else { return self }
        let (path, connection) = try await connect()
        try await connection.executeThenClose { _, _ in }
        return ControlClient(socket: ControlSocket(candidates: [path]), limits: limits)
    }

    /// The same client with other limits.
    package func limited(_ change: (inout ControlLimits) -> Void) -> ControlClient {
        var limits = limits
        change(&limits)
        return ControlClient(socket: socket, limits: limits)
    }

    /// The body of a whole answer.
    package func bytes(_ request: ControlRequest) async throws -> [UInt8] {
        var body: [UInt8] = []
        try await perform(request) { piece in
            guard body.count + piece.readableBytes <= limits.wholeAnswer else {
                throw ControlClientError.garbled("more than \(limits.wholeAnswer) bytes")
            }
            body += piece.readableBytesView
        }
        return body
    }

    /// Reads a whole answer as one JSON value.
    package func value<Value: Decodable>(_ type: Value.Type, _ request: ControlRequest) async throws -> Value {
        try Self.decode(type, try await bytes(request))
    }

    /// Hands each line of an NDJSON answer to `consume` as it comes, without its end. A slow consumer slows the sender down.
    package func lines(_ request: ControlRequest, _ consume: ([UInt8]) async throws -> Void) async throws {
        var splitter = LineSplitter(limit: limits.line)
        try await perform(request) { piece in
            splitter.append(piece)
            while let line = try splitter.next() { try await consume(line) }
        }
        if let line = try splitter.rest() { try await consume(line) }
    }

    /// Hands over the body of a successful answer piece by piece as it comes. A slow consumer slows the sender down.
    ///
    /// - Parameter opened: called with the content type of a successful answer, before its body.
    package func pieces(
        _ request: ControlRequest, opened: (String?) async throws -> Void,
        _ consume: (ByteBuffer) async throws -> Void
    ) async throws {
        try await perform(request, opened: opened, consume)
    }

    package static func decode<Value: Decodable>(_ type: Value.Type, _ json: [UInt8]) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(json))
        } catch {
            throw ControlClientError.garbled("no \(type) in it (\(Self.cause(error)))")
        }
    }

    /// One call: hands over the pieces of a successful answer's body, and throws what the service refused.
    private func perform(
        _ request: ControlRequest, opened: (String?) async throws -> Void = { _ in },
        _ consume: (ByteBuffer) async throws -> Void
    ) async throws {
        let (path, connection) = try await connect()
        let patience = request.method == .get ? limits.answerTimeout : limits.operationTimeout
        let reader = ControlAnswerReader(refusalLimit: limits.line)
        do {
            try await connection.executeThenClose { inbound, outbound in
                let timer = connection.channel.eventLoop.scheduleTask(in: patience) {
                    connection.channel.pipeline.fireErrorCaught(
                        ControlClientError.noAnswer(path: path, seconds: Int(patience.nanoseconds / 1_000_000_000)))
                    connection.channel.close(promise: nil)
                }
                defer { timer.cancel() }
                try await outbound.write(contentsOf: Self.parts(of: request))
                try await reader.read(inbound, headArrived: { timer.cancel() }, opened: opened, consume)
            }
        } catch let error as HTTPParserError {
            throw error == .invalidEOFState ? ControlClientError.cutOff : .garbled("\(error)")
        } catch let error as IOError {
            throw Self.broken(error)
        } catch let error as ChannelError {
            throw error == .ioOnClosedChannel || error == .eof ? ControlClientError.cutOff : .system("\(error)")
        }
    }

    private static func parts(of request: ControlRequest) -> [HTTPClientRequestPart] {
        var head = HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: request.method.rawValue), uri: request.uri)
        head.headers.add(name: "Host", value: "wsd")
        head.headers.add(name: "Connection", value: "close")
        guard let body = request.body else {
            if request.method == .post { head.headers.add(name: "Content-Length", value: "0") }
            return [.head(head), .end(nil)]
        }
        head.headers.add(name: "Content-Type", value: "application/json")
        head.headers.add(name: "Content-Length", value: "\(body.count)")
        return [.head(head), .body(.byteBuffer(ByteBuffer(bytes: body))), .end(nil)]
    }

    private static func broken(_ error: IOError) -> ControlClientError {
        switch error.errnoCode {
        case ECONNRESET, EPIPE: .cutOff
        default: .system("The connection to wsd failed: \(String(cString: strerror(error.errnoCode))).")
        }
    }

    private static func cause(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _): "no \(key.stringValue)"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "another type at \(context.codingPath.map(\.stringValue).joined(separator: "."))"
        case DecodingError.dataCorrupted: "no JSON, or a value that is not known"
        default: "\(error)"
        }
    }
}

extension ControlClient {
    fileprivate typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

    /// Connects to the first candidate that has a listener.
    private func connect() async throws -> (path: String, Connection) {
        var attempts: [SocketAttempt] = []
        for path in socket.candidates {
            do {
                return (path, try await connect(to: path))
            } catch let error as IOError {
                switch error.errnoCode {
                case ENOENT, ENOTDIR: attempts.append(SocketAttempt(path: path, outcome: .absent))
                case ECONNREFUSED: attempts.append(SocketAttempt(path: path, outcome: .stale))
                case EAGAIN: throw ControlClientError.noAnswer(path: path, seconds: limits.fullBacklogSeconds)
                case EACCES, EPERM:
                    attempts.append(SocketAttempt(path: path, outcome: .forbidden(SocketOwner.of(path: path))))
                default:
                    throw ControlClientError.system(
                        "\(path) cannot be connected to: \(String(cString: strerror(error.errnoCode))).")
                }
            } catch is SocketAddressError {
                throw ControlClientError.system(
                    "\(path) is too long for a socket's path: wsd takes at most \(RuntimePaths.maxControlSocketBytes) bytes."
                )
            }
        }
        for attempt in attempts {
            guard case .forbidden = attempt.outcome else { continue }
            throw ControlClientError.notAllowed(attempt, user: UserDatabase.userName(geteuid()))
        }
        throw ControlClientError.notRunning(attempts)
    }

    /// Waits a little where the service has not yet taken the connections before this one (connect(2): EAGAIN).
    private func connect(to path: String) async throws -> Connection {
        for _ in 0..<limits.fullBacklogSeconds * 10 {
            do {
                return try await connectOnce(to: path)
            } catch let error as IOError where error.errnoCode == EAGAIN {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        return try await connectOnce(to: path)
    }

    private func connectOnce(to path: String) async throws -> Connection {
        try await ClientBootstrap(group: Self.group).connect(unixDomainSocketPath: path) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                return try Connection(wrappingChannelSynchronously: channel)
            }
        }
    }
}

extension ControlClient {
    /// A value as JSON.
    package static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Values of ours hold no float that JSON lacks; an empty body is refused by the service with a sentence.
        return (try? encoder.encode(value)).map { Array($0) } ?? []
    }
}
