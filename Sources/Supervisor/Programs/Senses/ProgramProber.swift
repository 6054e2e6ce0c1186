import LinuxSystem
import Model
import NIOCore
import NIOPosix

/// Asks processes from outside whether they serve. Confined to the event loop.
final class ProgramProber {
    private let eventLoop: any EventLoop

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// One question.
    ///
    /// - Parameter answered: once, by the timeout at the latest, never before this returns; `nil`: all is well, otherwise a
    ///   sentence without a full stop.
    func probe(_ probe: ProgramProbe, timeout: Duration, answered: @escaping (_ failure: String?) -> Void) {
        let timeout = max(timeout, .milliseconds(1))
        let question = Question(probe, timeout: timeout, answered: answered)
        let bound = NIOLoopBound(question, eventLoop: eventLoop)
        // Connecting, naming and answering together.
        question.timer = eventLoop.scheduleTask(in: TimeAmount(timeout)) { bound.value.timePassed() }
        eventLoop.execute {
            let question = bound.value
            guard let obstacle = question.probe.obstacle else { return Self.ask(question, timeout, bound) }
            question.finish(obstacle)
            question.over()
        }
    }

    private static func ask(_ question: Question, _ timeout: Duration, _ bound: NIOLoopBound<Question>) {
        let bootstrap = ClientBootstrap(group: bound.eventLoop)
            // The question's own timer comes first.
            .connectTimeout(TimeAmount(timeout) + .seconds(1))
            .channelOption(.maxMessagesPerRead, value: 4)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ProbeHandler(bound.value))
                }
            }
        connect(bootstrap, question.probe).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): question.connected(channel)
            case .failure(let error):
                question.finish(words(for: error, question.probe))
                question.over()
            }
        }
    }

    private static func connect(_ bootstrap: ClientBootstrap, _ probe: ProgramProbe) -> EventLoopFuture<any Channel> {
        switch probe {
        case .tcp(let host, let port): connect(bootstrap, host, port)
        case .http(.tcp(let host, let port, _), _): connect(bootstrap, host, port)
        case .http(.unix(let path), _): bootstrap.connect(unixDomainSocketPath: path)
        }
    }

    private static func connect(_ bootstrap: ClientBootstrap, _ host: String, _ port: UInt16) -> EventLoopFuture<
        any Channel
    > {
        func numeric(_ host: String) -> EventLoopFuture<any Channel>? {
            (try? SocketAddress(ipAddress: host, port: Int(port))).map { bootstrap.connect(to: $0) }
        }
        if let connection = numeric(host) { return connection }
        // Without a resolver, and its thread, for what is asked most.
        guard host.lowercased() == "localhost", let connection = numeric("127.0.0.1") else {
            return bootstrap.connect(host: host, port: Int(port))
        }
        return connection.assumeIsolated().flatMapError { error in
            guard let other = numeric("::1") else { return connection.eventLoop.makeFailedFuture(error) }
            return other.flatMapErrorThrowing { _ in throw error }
        }.nonisolated()
    }

    private static func words(for error: any Error, _ probe: ProgramProbe) -> String {
        let reason =
            switch error {
            case let error as IOError: SystemError.reason(of: error.errnoCode)
            case let error as NIOConnectionError:
                if let error = error.connectionErrors.first?.error as? IOError {
                    SystemError.reason(of: error.errnoCode)
                } else {
                    "no such host"
                }
            default: "\(error)"
            }
        return "cannot connect to \(probe.target): \(reason)"
    }
}

/// A probe on its way, and its outcome.
private final class Question {
    let probe: ProgramProbe
    var timer: Scheduled<Void>?
    private let timeout: Duration
    private var answered: ((String?) -> Void)?
    private var channel: (any Channel)?
    private var isOver = false

    init(_ probe: ProgramProbe, timeout: Duration, answered: @escaping (String?) -> Void) {
        (self.probe, self.timeout, self.answered) = (probe, timeout, answered)
    }

    func connected(_ channel: any Channel) {
        guard !isOver else { return channel.close(promise: nil) }
        self.channel = channel
        guard let request = probe.request else {
            finish(nil)
            return over()
        }
        channel.writeAndFlush(ByteBuffer(string: request), promise: nil)
    }

    /// The outcome is known; the rest of an answer may still be read until ``over()``.
    func finish(_ failure: String?) {
        guard let answered else { return }
        self.answered = nil
        answered(failure)
    }

    func timePassed() {
        let limit = timeout < .seconds(1) ? "\(timeout.milliseconds) ms" : "\(timeout.inSeconds) s"
        finish("\(probe.target) did not answer within \(limit)")
        over()
    }

    func over() {
        isOver = true
        timer?.cancel()
        channel?.close(promise: nil)
        channel = nil
    }
}

private final class ProbeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// Bytes of an answer that are read for the sake of a peer that wants to write them.
    private static let longestAnswer = 1 << 20

    private let question: Question
    private var answer = ProbeAnswer()
    private var received = 0

    init(_ question: Question) {
        self.question = question
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        received += bytes.readableBytes
        switch answer.take(bytes.readableBytesView) {
        case .unfinished: break
        case .status(let status) where (200...399).contains(status): question.finish(nil)
        case .status(let status): question.finish("\(question.probe.target) answered with \(status)")
        case .broken: question.finish("\(question.probe.target) did not answer in HTTP")
        }
        if received > Self.longestAnswer { question.over() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        question.finish("\(question.probe.target) closed the connection without an answer")
        question.over()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        question.finish("\(question.probe.target) broke the connection off")
        question.over()
    }
}

extension ProgramProbe {
    /// Whom it asks, for people.
    var target: String {
        switch self {
        case .tcp(let host, let port): ListenAddress.tcp(host: host, port: port).description
        case .http(.unix(let socket), let path): "unix:\(socket):\(path)"
        case .http(let address, let path): "\(address)\(path)"
        }
    }

    /// Why it cannot be asked at all; `nil`: it can.
    var obstacle: String? {
        guard case .http(let address, let path) = self else { return nil }
        if case .tcp(_, _, tls: true) = address { return "\(target) cannot be asked: probes speak HTTP without TLS" }
        let isPath = path.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
        return isPath ? nil : "the path of a probe has no spaces and line breaks"
    }

    /// `nil`: the connection is all.
    var request: String? {
        guard case .http(let address, let path) = self else { return nil }
        return "GET \(path.isEmpty ? "/" : path) HTTP/1.1\r\nHost: \(address.authority)\r\n"
            + "User-Agent: wsd/\(WsdVersion.current)\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    }
}
