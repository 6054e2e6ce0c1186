import Model
import NIOCore

/// Reads a child's log pipe into the log. Ends with the pipe: when the child and whoever inherited its output are gone.
final class LogPump: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let log: LogCenter
    private let source: LogSource
    private let clock: () -> MonotonicTime
    private var splitter = LogLineSplitter()
    private var budget: LogBudget
    private var dropped = 0

    init(log: LogCenter, source: LogSource, clock: @escaping () -> MonotonicTime) {
        self.log = log
        self.source = source
        self.clock = clock
        budget = LogBudget(now: clock())
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let now = clock()
        unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
            splitter.feed(bytes) { line, wasCut in take(line, wasCut, now) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let now = clock()
        splitter.finish { line, wasCut in take(line, wasCut, now) }
        reportDropped()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Says what was dropped while the flood lasts, not only after it. Once a second.
    func reportDropped() {
        log.dropped(dropped, from: source)
        dropped = 0
    }

    private func take(_ line: UnsafeRawBufferPointer, _ wasCut: Bool, _ now: MonotonicTime) {
        guard !line.isEmpty else { return }
        guard budget.take(now: now) else {
            dropped += 1
            return
        }
        var parsed = LogLineParser.parse(line, plainLevel: .warning)
        if wasCut { parsed.message += LogStore.cutMark }
        log.take(parsed, from: source)
    }
}
