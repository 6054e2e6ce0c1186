import Model
import NIOCore
import Wire

/// Reads a child's log pipe into the log, or an output of a program's process. Ends with the pipe: when the process and whoever
/// inherited its output are gone.
final class LogPump: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let log: LogCenter
    private let source: LogSource
    private let clock: () -> MonotonicTime
    private let heard: ((UnsafeRawBufferPointer) -> Void)?
    private let ended: (() -> Void)?
    private var splitter = LogLineSplitter()
    private var budget: LogBudget
    private var dropped = 0

    /// - Parameters:
    ///   - heard: told every line, those beyond the budget, too.
    ///   - ended: once, when nothing more comes.
    init(
        log: LogCenter, source: LogSource, clock: @escaping () -> MonotonicTime,
        heard: ((UnsafeRawBufferPointer) -> Void)? = nil, ended: (() -> Void)? = nil
    ) {
        self.log = log
        self.source = source
        self.clock = clock
        self.heard = heard
        self.ended = ended
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
        ended?()
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
        heard?(line)
        guard budget.take(now: now) else {
            dropped += 1
            return
        }
        var parsed = parse(line)
        if wasCut { parsed.message += LogStore.cutMark }
        log.take(parsed, from: source)
    }

    /// A program's line is its own text, whatever it looks like.
    private func parse(_ line: UnsafeRawBufferPointer) -> ParsedLogLine {
        switch source.stream {
        case nil: LogLineParser.parse(line, plainLevel: .warning)
        case .out: ParsedLogLine(time: nil, level: .info, message: String(decoding: line, as: UTF8.self), fields: [:])
        case .err: ParsedLogLine(time: nil, level: .error, message: String(decoding: line, as: UTF8.self), fields: [:])
        }
    }
}
