import AsyncHTTPClient
import Model
import NIOCore
import NIOHTTP1

/// Posts events. Confined to the event loop.
final class EventWebhook {
    /// Bytes of an answer; a longer one is broken off.
    static let maxAnswer = 64 * 1024

    private let eventLoop: any EventLoop
    private let client: HTTPClient

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        var configuration = HTTPClient.Configuration()
        // A redirected POST would lose its body.
        configuration.redirectConfiguration = .disallow
        configuration.decompression = .disabled
        configuration.httpVersion = .http1Only
        configuration.connectionPool.idleTimeout = .seconds(1)
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroup: eventLoop, configuration: configuration)
    }

    deinit {
        client.shutdown().whenComplete { _ in }
    }

    /// - Parameter done: once, later; `nil`: it was answered with 2xx.
    func post(_ body: ByteBuffer, to url: String, timeout: Duration, done: @escaping (String?) -> Void) {
        let bound = NIOLoopBound(done, eventLoop: eventLoop)
        guard var request = try? HTTPClient.Request(url: url, method: .POST, body: .byteBuffer(body)) else {
            return eventLoop.execute { bound.value("its url cannot be called") }
        }
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "User-Agent", value: "wsd/\(WsdVersion.current)")
        client.execute(
            request: request, delegate: ResponseAccumulator(request: request, maxBodySize: Self.maxAnswer),
            eventLoop: .delegate(on: eventLoop), deadline: .now() + .nanoseconds(timeout.nanoseconds)
        ).futureResult.hop(to: eventLoop).whenComplete { result in
            switch result {
            case .success(let answer) where (200...299).contains(answer.status.code): bound.value(nil)
            case .success(let answer): bound.value("it was answered with \(answer.status.code)")
            case .failure(is ResponseAccumulator.ResponseTooBigError): bound.value(nil)
            case .failure(let error): bound.value(Self.words(for: error))
            }
        }
    }

    private static func words(for error: any Error) -> String {
        if case .connectTimeout? = error as? ChannelError { return "no connection in time" }
        if let error = error as? HTTPClientError, error == .deadlineExceeded { return "no answer in time" }
        return "\(error)"
    }
}
