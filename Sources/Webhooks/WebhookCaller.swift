import AsyncHTTPClient
import Logging
import Model
import NIOCore
import NIOHTTP1
import Wire

/// Calls the application's webhooks for one worker. Confined to its event loop, which it never blocks.
///
/// Each hook has a bounded number of calls being made and a bounded queue. A call in its backoff keeps its place, so that an
/// application that is down is not called more often than one that is up.
package final class WebhookCaller {
    /// Bytes of an answer.
    static let maxAnswer = 1024 * 1024
    /// A connection nobody uses is closed before the application would: Node's servers do after 5 s, and a call that meets
    /// that moment fails.
    static let keepAlive = TimeAmount.seconds(4)
    /// Between two lines of the log about failures of one hook.
    static let logInterval = TimeAmount.seconds(10)

    private let eventLoop: any EventLoop
    private let logger: Logger
    private let wallTime: () -> Double
    private let client: HTTPClient?
    private let deliveryPrefix: String
    private var deliveries: UInt64 = 0
    private let hooks: [WebhookKind: Hook]
    /// Set by ``shutdown(within:completion:)``.
    private var ending: (() -> Void)?
    private var hasEnded = false

    /// - Parameter wallTime: seconds since 1970; what calls are signed with.
    /// - Throws: a sentence: the secret's file or a URL is not usable.
    package init(
        configuration: WebhooksConfiguration, eventLoop: any EventLoop, logger: Logger,
        wallTime: @escaping () -> Double
    ) throws(WebhookError) {
        self.eventLoop = eventLoop
        self.logger = logger
        self.wallTime = wallTime
        var random = SystemRandomNumberGenerator()
        deliveryPrefix = String(random.next(), radix: 36)
        hooks = try Self.hooks(configuration)
        guard !hooks.isEmpty else {
            client = nil
            return
        }
        let connections = hooks.values.reduce(1) { $0 + $1.settings.concurrency }
        client = HTTPClient(eventLoopGroup: eventLoop, configuration: Self.clientConfiguration(connections))
    }

    /// Whether a caller could be made of this.
    /// - Throws: the sentence that ``init(configuration:eventLoop:logger:wallTime:)`` would throw.
    package static func check(_ configuration: WebhooksConfiguration) throws(WebhookError) {
        _ = try hooks(configuration)
    }

    /// Those that have a URL.
    private static func hooks(_ configuration: WebhooksConfiguration) throws(WebhookError) -> [WebhookKind: Hook] {
        guard configuration.isUsed else { return [:] }
        guard let path = configuration.secretFile else {
            throw WebhookError("Webhooks need a secret to be signed with: set webhooks.secretFile.")
        }
        let signer = try WebhookSigner(file: path)
        var hooks: [WebhookKind: Hook] = [:]
        for kind in WebhookKind.allCases {
            let hook = configuration[kind]
            guard let url = hook.url else { continue }
            do {
                hooks[kind] = try Hook(kind, hook, url, signer)
            } catch {
                throw WebhookError("webhooks.\(kind.rawValue).url is no http: or https: URL.")
            }
        }
        return hooks
    }

    private static func clientConfiguration(_ connections: Int) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        // A redirected POST would lose its body, and its signature is for the configured place alone.
        configuration.redirectConfiguration = .disallow
        configuration.decompression = .disabled
        configuration.httpVersion = .http1Only
        configuration.connectionPool.idleTimeout = keepAlive
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        // A refused connection is told at once; the hook's own retries follow.
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }

    /// Whether a hook has a URL.
    package func isOn(_ kind: WebhookKind) -> Bool { hooks[kind] != nil }

    /// Asks the application. `completion` is called exactly once, on the event loop, never from within this call. A hook
    /// that is off answers with nothing.
    package func call(_ call: WebhookCall, completion: @escaping (WebhookOutcome) -> Void) {
        guard let hook = hooks[call.kind] else { return later { completion(.answered(WebhookAnswer())) } }
        enter(Pending(hook, WebhookBody.encode(call), deliveryID(), completion))
    }

    /// Tells the application, trying again for as long as is configured. Nothing where the hook is off.
    package func notify(_ event: WebhookEvent) {
        guard let hook = hooks[event.kind] else { return }
        enter(Pending(hook, WebhookBody.encode(event), deliveryID(), nil))
    }

    /// Since the worker's start.
    package func figures(_ kind: WebhookKind) -> WebhookFigures {
        guard let hook = hooks[kind] else { return WebhookFigures() }
        var figures = hook.figures
        figures.inFlight = hook.queue.running
        figures.waiting = hook.queue.waiting
        return figures
    }

    /// Of the hooks that are on, by name.
    package var figures: [String: WebhookFigures] {
        var figures: [String: WebhookFigures] = [:]
        for kind in hooks.keys { figures[kind.rawValue] = self.figures(kind) }
        return figures
    }

    /// Waits for what is under way and queued, at most this long, then ends. Calls after it fail. Once.
    package func shutdown(within time: Duration, completion: @escaping () -> Void) {
        guard client != nil, ending == nil, !hasEnded else { return later(completion) }
        ending = completion
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(time)) { self.end() }
        later { self.endIfIdle() }
    }
}

// MARK: - Calls

extension WebhookCaller {
    /// One hook's settings and state.
    fileprivate final class Hook {
        let kind: WebhookKind
        let settings: WebhookConfiguration
        let request: HTTPClient.Request
        let signer: WebhookSigner
        var queue: WebhookQueue<Pending>
        var figures = WebhookFigures()
        var loggedAt: NIODeadline?

        init(_ kind: WebhookKind, _ settings: WebhookConfiguration, _ url: String, _ signer: WebhookSigner) throws {
            self.kind = kind
            self.settings = settings
            self.signer = signer
            queue = WebhookQueue(settings)
            var request = try HTTPClient.Request(url: url, method: .POST)
            request.headers.add(name: "Content-Type", value: "application/json")
            request.headers.add(name: "User-Agent", value: "wsd/\(WsdVersion.current)")
            request.headers.add(name: "Wsd-Event", value: kind.rawValue)
            self.request = request
        }
    }

    /// One call with all its attempts.
    fileprivate final class Pending {
        let hook: Hook
        let body: ByteBuffer
        let deliveryID: String
        let enteredAt = NIODeadline.now()
        var retries = 0
        let completion: ((WebhookOutcome) -> Void)?

        init(_ hook: Hook, _ body: ByteBuffer, _ deliveryID: String, _ completion: ((WebhookOutcome) -> Void)?) {
            self.hook = hook
            self.body = body
            self.deliveryID = deliveryID
            self.completion = completion
        }

        /// Whether whoever asked has waited longer in the queue than the answer may take.
        var isStale: Bool {
            completion != nil && NIODeadline.now() - enteredAt > TimeAmount(hook.settings.timeout)
        }
    }

    private func deliveryID() -> String {
        deliveries &+= 1
        return "\(deliveryPrefix)-\(deliveries)"
    }

    private func enter(_ pending: Pending) {
        pending.hook.figures.calls += 1
        guard ending == nil, !hasEnded else { return later { self.drop(pending, "the worker ends") } }
        switch pending.hook.queue.enter(pending) {
        case .start: attempt(pending)
        case .wait: break
        case .full: later { self.drop(pending, "too many calls wait") }
        }
    }

    private func drop(_ pending: Pending, _ reason: String) {
        pending.hook.figures.dropped += 1
        fail(pending, reason)
    }

    private func attempt(_ pending: Pending) {
        guard let client, !hasEnded else { return ended(pending) { self.fail(pending, "the worker ends") } }
        let hook = pending.hook
        var request = hook.request
        let timestamp = "\(Int64(wallTime()))"
        request.headers.add(name: "Wsd-Delivery", value: pending.deliveryID)
        request.headers.add(name: "Wsd-Timestamp", value: timestamp)
        request.headers.add(
            name: "Wsd-Signature", value: hook.signer.signature(timestamp: timestamp, body: pending.body))
        request.body = .byteBuffer(pending.body)
        let accumulator = ResponseAccumulator(request: request, maxBodySize: Self.maxAnswer)
        let task = client.execute(
            request: request, delegate: accumulator, eventLoop: .delegate(on: eventLoop),
            deadline: .now() + TimeAmount(hook.settings.timeout))
        task.futureResult.hop(to: eventLoop).assumeIsolated().whenComplete { self.attempted(pending, $0) }
    }

    private func attempted(_ pending: Pending, _ result: Result<HTTPClient.Response, any Error>) {
        switch result {
        case .success(let response):
            let body = response.body ?? ByteBuffer()
            switch WebhookReply(pending.hook.kind, status: Int(response.status.code), body: body) {
            case .answered(let answer):
                ended(pending) { self.finish(pending, .answered(answer)) }
            case .refused(let message, let code):
                pending.hook.figures.refusals += 1
                ended(pending) { self.finish(pending, .refused(message: message, code: code)) }
            case .busy(let reason):
                retry(pending, reason)
            case .unusable(let reason):
                ended(pending) { self.fail(pending, reason) }
            }
        case .failure(let error as ResponseAccumulator.ResponseTooBigError):
            ended(pending) { self.fail(pending, "an answer above \(error.maxBodySize) bytes") }
        case .failure(let error):
            let isTimeout = Self.isTimeout(error)
            if isTimeout { pending.hook.figures.timeouts += 1 }
            retry(pending, isTimeout ? "no answer in time" : "\(error)")
        }
    }

    private static func isTimeout(_ error: any Error) -> Bool {
        if case .connectTimeout? = error as? ChannelError { return true }
        guard let error = error as? HTTPClientError else { return false }
        return [.deadlineExceeded, .readTimeout, .connectTimeout, .getConnectionFromPoolTimeout].contains(error)
    }

    private func retry(_ pending: Pending, _ reason: String) {
        guard pending.retries < pending.hook.settings.retries, !hasEnded else {
            return ended(pending) { self.fail(pending, reason) }
        }
        pending.retries += 1
        let delay = WebhookBackoff.delay(retry: pending.retries, random: .random(in: 0..<1))
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) {
            guard !self.hasEnded else { return self.ended(pending) { self.fail(pending, reason) } }
            pending.hook.figures.retries += 1
            self.attempt(pending)
        }
    }

    /// Gives the place of a call to the next that waits, then tells its outcome.
    private func ended(_ pending: Pending, _ outcome: () -> Void) {
        let hook = pending.hook
        var next = hook.queue.ended()
        while let waiting = next, waiting.isStale {
            hook.figures.timeouts += 1
            fail(waiting, "its turn did not come in time")
            next = hook.queue.ended()
        }
        if let next { attempt(next) }
        outcome()
        endIfIdle()
    }

    private func finish(_ pending: Pending, _ outcome: WebhookOutcome) {
        let nanoseconds = (NIODeadline.now() - pending.enteredAt).nanoseconds
        pending.hook.figures.microseconds &+= Int(nanoseconds / 1000)
        pending.completion?(outcome)
    }

    private func fail(_ pending: Pending, _ reason: String) {
        let hook = pending.hook
        hook.figures.failures += 1
        let now = NIODeadline.now()
        if hook.loggedAt.map({ now - $0 >= Self.logInterval }) ?? true {
            hook.loggedAt = now
            logger.warning(
                "A webhook failed",
                metadata: [
                    "webhook": "\(hook.kind.rawValue)", "reason": "\(reason)",
                    "attempts": "\(pending.retries + 1)", "failures": "\(hook.figures.failures)",
                ])
        }
        finish(pending, .failed(hook.settings.onFailure))
    }

    private func later(_ body: @escaping () -> Void) {
        eventLoop.assumeIsolated().execute(body)
    }
}

// MARK: - End

extension WebhookCaller {
    private func endIfIdle() {
        guard ending != nil, hooks.values.allSatisfy({ $0.queue.running == 0 && $0.queue.waiting == 0 }) else { return }
        end()
    }

    private func end() {
        guard !hasEnded, let ending else { return }
        hasEnded = true
        for hook in hooks.values {
            for pending in hook.queue.drain() { drop(pending, "the worker ends") }
        }
        guard let client else { return ending() }
        client.shutdown().hop(to: eventLoop).assumeIsolated().whenComplete { _ in
            self.ending = nil
            ending()
        }
    }
}

extension WebhooksConfiguration {
    fileprivate subscript(_ kind: WebhookKind) -> WebhookConfiguration {
        switch kind {
        case .connect: connect
        case .join: join
        case .publish: publish
        case .rpc: rpc
        case .disconnect: disconnect
        case .roomEmpty: roomEmpty
        }
    }
}

/// The webhooks cannot be used; a sentence that says what to do.
package struct WebhookError: Error, Hashable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}
