import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import WebSocketProtocol
import Wire

/// One streamed answer (NDJSON) of the control API, on the worker's own event loop. Confined to it.
final class ControlStream: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// From the call to the head of the answer.
    static let answerTimeout = TimeAmount.seconds(5)
    /// Bytes of an error's body that are looked at.
    static let maxRefusal = 4096

    private let eventLoop: any EventLoop
    /// `nil` once the last event has come, or nobody wants any.
    private var receive: ((LiveEvent) -> Void)?
    private var channel: (any Channel)?
    private var call = ""
    private var status: HTTPResponseStatus?
    private var refusal = ByteBuffer()
    private var lines = LiveLines()
    private var timer: Scheduled<Void>?

    init(eventLoop: any EventLoop, receive: @escaping (LiveEvent) -> Void) {
        self.eventLoop = eventLoop
        self.receive = receive
    }

    /// Once.
    func open(socket: String, call: String) {
        self.call = call
        timer = eventLoop.assumeIsolated().scheduleTask(in: Self.answerTimeout) {
            self.finish(.refused(.liveUnavailable))
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    bound.value.channel = channel
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
            .connect(unixDomainSocketPath: socket)
            .assumeIsolated()
            .whenFailure { _ in self.finish(.refused(.liveUnavailable)) }
    }

    /// Whether more is read for now. What was read before comes all the same.
    func setReading(_ isReading: Bool) {
        try? channel?.syncOptions?.setOption(.autoRead, value: isReading)
    }

    /// Nothing more is wanted.
    func close() {
        finish(nil)
    }

    // MARK: Channel events

    func channelActive(context: ChannelHandlerContext) {
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: call)
        head.headers.add(name: "Host", value: "wsd")
        head.headers.add(name: "Connection", value: "close")
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            guard !(100..<200).contains(head.status.code) else { return }
            status = head.status
            guard head.status == .ok else { return }
            timer?.cancel()
            receive?(.opened)
        case .body(let piece):
            if status == .ok { cut(piece) } else { keep(piece) }
        case .end:
            finish(status == .ok ? .ended : .refused(refused()))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        receive?(.pause)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(status == .ok ? .cutOff : .refused(.liveUnavailable))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(status == .ok ? .cutOff : .refused(.liveUnavailable))
    }

    // MARK: The answer

    private func cut(_ piece: ByteBuffer) {
        lines.append(piece)
        while receive != nil {
            switch lines.next() {
            case .line(let line): receive?(.line(line))
            case .incomplete: return
            case .tooLong: finish(.broken)
            }
        }
    }

    private func keep(_ piece: ByteBuffer) {
        var piece = piece
        guard let slice = piece.readSlice(length: min(piece.readableBytes, Self.maxRefusal - refusal.readableBytes))
        else { return }
        refusal.writeImmutableBuffer(slice)
    }

    /// What a page is told for an error of the control API: its own words where the request was wrong.
    private func refused() -> HTTPRefusal {
        guard status == .badRequest, let sentence = errorMessage() else { return .liveUnavailable }
        return HTTPRefusal(status: 400, sentence: String(sentence.map { $0.isNewline ? " " : $0 }))
    }

    /// `message` of a ``ControlError``.
    private func errorMessage() -> String? {
        refusal.withUnsafeReadableBytes { bytes in
            var found: String?
            do {
                try JSONScanner.scanObject(bytes) { key, value in
                    if JSONString.equals(key, in: bytes, "message") { found = JSONString.text(value, in: bytes) }
                }
            } catch {
                return nil
            }
            return found
        }
    }

    private func finish(_ event: LiveEvent?) {
        guard let receive else { return }
        self.receive = nil
        timer?.cancel()
        timer = nil
        channel?.close(promise: nil)
        channel = nil
        if let event { receive(event) }
    }
}
