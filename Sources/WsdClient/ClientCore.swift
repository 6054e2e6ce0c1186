import Model
import NIOCore
import NIOPosix
import WebSocketProtocol

/// The driver of a client: transports, timers and callers around the machine. Confined to its event loop.
final class ClientCore: @unchecked Sendable {
    /// At least so long is waited between two looks at the time.
    static let tick = Duration.milliseconds(10)

    let eventLoop: any EventLoop
    private let configuration: WsdClientConfiguration
    private let address: ServerAddress
    private let onEvent: @Sendable (WsdEvent) -> Void
    private var machine: ClientStateMachine
    private var transport: ClientConnectionHandler?
    private var isConnecting = false
    private var waiting: [UInt64: EventLoopPromise<String>] = [:]
    private var timer: (task: Scheduled<Void>, at: MonotonicTime)?
    private var keys = SystemRandomNumberGenerator()

    init(
        configuration: WsdClientConfiguration, eventLoop: any EventLoop, onEvent: @escaping @Sendable (WsdEvent) -> Void
    ) throws(WsdClientError) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.onEvent = onEvent
        address = try ServerAddress(configuration.url)
        machine = ClientStateMachine(
            configuration: configuration, seed: .random(in: .min ... .max), now: Self.now(eventLoop))
    }

    var statistics: WsdClientStatistics { machine.statistics }

    var now: MonotonicTime { Self.now(eventLoop) }

    private static func now(_ eventLoop: any EventLoop) -> MonotonicTime {
        MonotonicTime(nanoseconds: Int64(clamping: eventLoop.now.uptimeNanoseconds))
    }

    func start() {
        run { $0.timeElapsed(now: self.now, actions: &$1) }
    }

    /// Sees to it that the machine hears of the time when it has to.
    private func schedule() {
        let time = now
        guard let due = machine.nextLook else {
            timer?.task.cancel()
            timer = nil
            return
        }
        if let timer, timer.at <= due { return }
        timer?.task.cancel()
        let at = max(due, time + Self.tick)
        let task = eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds((at - time).nanoseconds)) { [weak self] in
            guard let self else { return }
            timer = nil
            run { $0.timeElapsed(now: self.now, actions: &$1) }
        }
        timer = (task, at)
    }

    // MARK: Callers

    func request(_ body: String) -> EventLoopFuture<String> {
        ask { $0.request(body, now: self.now, actions: &$1) }
    }

    func publish(room: String, data: String) -> EventLoopFuture<String> {
        ask { $0.publish(room: room, data: data, now: self.now, actions: &$1) }
    }

    private func ask(
        _ body: (inout ClientStateMachine, inout [ClientStateMachine.Action]) -> UInt64
    ) -> EventLoopFuture<String> {
        let promise = eventLoop.makePromise(of: String.self)
        var actions: [ClientStateMachine.Action] = []
        let id = body(&machine, &actions)
        waiting[id] = promise
        perform(actions)
        schedule()
        return promise.futureResult
    }

    func join(_ room: String, since: (epoch: String, offset: UInt64)?) {
        run { $0.join(room: room, since: since, now: self.now, actions: &$1) }
    }

    func leave(_ room: String) {
        run { $0.leave(room: room, now: self.now, actions: &$1) }
    }

    func close() {
        let old = transport
        transport = nil
        old?.close()
        run { $0.stop(code: nil, reason: "closed by its owner", actions: &$1) }
    }

    func abort() {
        transport?.abort()
    }

    // MARK: Transport

    func heard() { machine.heard(now: now) }

    func received(_ messages: [ServerMessage]) {
        run { machine, actions in
            for message in messages { machine.received(message, now: self.now, actions: &actions) }
        }
    }

    func transportEnded(_ handler: ClientConnectionHandler, code: UInt16?, reason: String) {
        guard transport === handler else { return }
        transport = nil
        run { $0.disconnected(code: code, reason: reason, now: self.now, actions: &$1) }
    }

    func randomKey() -> UInt32 { keys.next() }

    private func connect() {
        guard !isConnecting else { return }
        isConnecting = true
        var compression = CompressionConfiguration()
        compression.enabled = configuration.compression
        let handshake = ClientHandshake(
            host: address.hostField, target: address.target, key: (keys.next(), keys.next()),
            subprotocols: ["wsd.v1.json"], compression: compression)
        let handler = NIOLoopBound(
            ClientConnectionHandler(client: self, handshake: handshake, maxMessageSize: configuration.maxMessageSize),
            eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.nanoseconds(configuration.connectTimeout.nanoseconds))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    self.transport = handler.value
                    try channel.pipeline.syncOperations.addHandler(handler.value)
                }
            }
            .connect(host: address.host, port: address.port)
            .assumeIsolated()
            .whenComplete { result in
                self.isConnecting = false
                switch result {
                case .success(let channel):
                    if self.machine.isStopped { channel.close(promise: nil) }
                case .failure(let error):
                    self.transport = nil
                    self.run { $0.disconnected(code: nil, reason: "\(error)", now: self.now, actions: &$1) }
                }
            }
    }

    // MARK: Actions

    private func run(_ body: (inout ClientStateMachine, inout [ClientStateMachine.Action]) -> Void) {
        var actions: [ClientStateMachine.Action] = []
        body(&machine, &actions)
        perform(actions)
        schedule()
    }

    private func perform(_ actions: [ClientStateMachine.Action]) {
        var texts: [String] = []
        for action in actions {
            switch action {
            case .send(let text): texts.append(text)
            case .connect: connect()
            case .fetchToken: fetchToken()
            case .disconnect: transport?.abort()
            case .emit(let event): onEvent(event)
            case .complete(let id, let result):
                guard let promise = waiting.removeValue(forKey: id) else { continue }
                switch result {
                case .success(let data): promise.succeed(data)
                case .failure(let error): promise.fail(error)
                }
            }
        }
        if !texts.isEmpty { transport?.send(texts) }
    }

    private func fetchToken() {
        guard let token = configuration.token else { return }
        let promise = eventLoop.makePromise(of: String.self)
        promise.completeWithTask { try await token() }
        promise.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let text): self.run { $0.tokenFetched(text, now: self.now, actions: &$1) }
            case .failure: self.transport?.abort()
            }
        }
    }
}
