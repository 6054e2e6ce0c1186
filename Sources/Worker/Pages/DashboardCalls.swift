import NIOCore
import WebSocketProtocol

/// Makes a call of the control API; events come as with ``LiveSource``.
struct DashboardSource {
    struct Call {
        var end: () -> Void
        var setReading: (Bool) -> Void
    }

    var open: (_ call: String, _ receive: @escaping (LiveEvent) -> Void) -> Call
}

/// The dashboard's calls in progress. Confined to the event loop.
final class DashboardCalls {
    /// At a time; more are refused. Each takes a connection of the control socket.
    static let maximum = 32

    private let eventLoop: any EventLoop
    private let source: DashboardSource
    private var pipes: [ObjectIdentifier: DashboardPipe] = [:]
    private var hasEnded = false

    init(eventLoop: any EventLoop, source: DashboardSource) {
        self.eventLoop = eventLoop
        self.source = source
    }

    /// The supervisor answers.
    ///
    /// - Parameter socket: path of the control socket.
    convenience init(socket: String, eventLoop: any EventLoop) {
        self.init(
            eventLoop: eventLoop,
            source: DashboardSource { call, receive in
                let stream = ControlStream(eventLoop: eventLoop, receive: receive)
                stream.open(socket: socket, call: call)
                return .init(end: { stream.close() }, setReading: { stream.setReading($0) })
            })
    }

    var count: Int { pipes.count }

    /// Makes a call; `nil`: there are too many, or the worker ends.
    func begin(_ call: String) -> NIOLoopBound<DashboardPipe>? {
        guard !hasEnded, pipes.count < Self.maximum else { return nil }
        let pipe = DashboardPipe(eventLoop: eventLoop)
        let id = ObjectIdentifier(pipe)
        pipes[id] = pipe
        pipe.ended = { [weak self] in self?.pipes[id] = nil }
        pipe.start(source.open(call) { [weak pipe] in pipe?.receive($0) })
        return NIOLoopBound(pipe, eventLoop: eventLoop)
    }

    /// Ends all, and lets none begin: the worker ends.
    func end() {
        hasEnded = true
        for pipe in Array(pipes.values) { pipe.end() }
    }
}

/// The lines of one call, on their way to a browser that reads at its own pace. Confined to the event loop.
final class DashboardPipe {
    /// Bytes that wait for the browser; above, no more are read.
    static let high = 256 * 1024
    /// Without a line for so long an empty one is sent, so that a browser that has gone is noticed. Well below
    /// ``HTTPLimits/writeTimeout``.
    static let beat = TimeAmount.seconds(10)

    enum Failure: Error {
        case broken
    }

    private let eventLoop: any EventLoop
    private let opening: EventLoopPromise<HTTPRefusal?>
    private var isOpen = false
    private var call: DashboardSource.Call?
    private var waiting = ByteBuffer()
    private var isPaused = false
    private var outcome: Result<Void, Failure>?
    private var reader: EventLoopPromise<ByteBuffer?>?
    private var timer: Scheduled<Void>?
    /// Called once.
    fileprivate var ended: () -> Void = {}

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        opening = eventLoop.makePromise(of: HTTPRefusal?.self)
    }

    /// `nil`: the call is answered; otherwise why not.
    var opened: EventLoopFuture<HTTPRefusal?> { opening.futureResult }

    fileprivate func start(_ call: DashboardSource.Call) {
        // It may have been refused at once.
        if outcome == nil { self.call = call } else { call.end() }
    }

    fileprivate func receive(_ event: LiveEvent) {
        switch event {
        case .opened: open(nil)
        case .refused(let refusal):
            open(refusal)
            finish(.success(()))
        case .line(let line):
            waiting.writeImmutableBuffer(line)
            waiting.writeInteger(UInt8(ascii: "\n"))
            guard waiting.readableBytes > Self.high, !isPaused else { return }
            isPaused = true
            call?.setReading(false)
            handOver()
        case .pause: handOver()
        case .ended: finish(.success(()))
        // In the middle of an answer only its breaking off tells that it is not whole.
        case .cutOff, .broken: finish(.failure(.broken))
        }
    }

    /// The next lines, when there are some; `nil`: there will be no more. One at a time.
    func next() -> EventLoopFuture<ByteBuffer?> {
        let promise = eventLoop.makePromise(of: ByteBuffer?.self)
        reader = promise
        timer = eventLoop.assumeIsolated().scheduleTask(in: Self.beat) { [weak self] in
            guard let self else { return }
            waiting.writeInteger(UInt8(ascii: "\n"))
            handOver()
        }
        handOver()
        return promise.futureResult
    }

    /// Nothing more is wanted.
    func end() { finish(.success(())) }

    private func open(_ refusal: HTTPRefusal?) {
        guard !isOpen else { return }
        isOpen = true
        opening.succeed(refusal)
    }

    private func handOver() {
        guard let reader, waiting.readableBytes > 0 || outcome != nil else { return }
        self.reader = nil
        timer?.cancel()
        timer = nil
        guard waiting.readableBytes > 0 else {
            if case .failure(let failure)? = outcome { reader.fail(failure) } else { reader.succeed(nil) }
            return
        }
        let bytes = waiting
        waiting = ByteBuffer()
        reader.succeed(bytes)
        guard isPaused else { return }
        isPaused = false
        call?.setReading(true)
    }

    private func finish(_ result: Result<Void, Failure>) {
        guard outcome == nil else { return }
        outcome = result
        open(.liveUnavailable)
        call?.end()
        call = nil
        handOver()
        ended()
        ended = {}
    }
}
