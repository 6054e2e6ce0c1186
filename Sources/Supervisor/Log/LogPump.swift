import Model
import NIOCore
import Wire

/// Reads a child's log pipe into the log, or an output of a program's process. Ends with the pipe: when the process and whoever
/// inherited its output are gone.
///
/// A child of the service never waits: what goes beyond its budget is dropped and counted. A program waits when it writes faster
/// than its lines can be kept; see ``LogFlow``.
final class LogPump: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never

    private let log: LogCenter
    private let source: LogSource
    private let clock: () -> MonotonicTime
    private let heard: ((UnsafeRawBufferPointer) -> Void)?
    private let ended: (() -> Void)?
    private var splitter = LogLineSplitter()
    private var budget: LogBudget
    private var dropped = 0
    /// `nil`: before and after the channel.
    private var context: ChannelHandlerContext?
    private var isWaiting = false

    /// - Parameters:
    ///   - heard: told every line, those beyond the budget, too.
    ///   - ended: once, when nothing more comes.
    ///   - handed: what the pump of the program before this one left.
    init(
        log: LogCenter, source: LogSource, clock: @escaping () -> MonotonicTime,
        heard: ((UnsafeRawBufferPointer) -> Void)? = nil, ended: (() -> Void)? = nil,
        resuming handed: HandedOutput? = nil
    ) {
        self.log = log
        self.source = source
        self.clock = clock
        self.heard = heard
        self.ended = ended
        budget = LogBudget(now: clock())
        guard let handed else { return }
        (splitter, dropped) = (handed.splitter, handed.dropped)
    }

    /// What is needed to go on reading in another program; `nil`: nothing more comes.
    var handed: HandedOutput? {
        context?.channel.descriptor.map { HandedOutput(descriptor: $0, splitter: splitter, dropped: dropped) }
    }

    var stream: LogStream? { source.stream }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func read(context: ChannelHandlerContext) {
        guard isProgram else { return context.read() }
        guard !isWaiting else { return }
        isWaiting = true
        log.flow.read { [weak self] in
            self?.isWaiting = false
            self?.context?.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let now = clock()
        unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
            splitter.feed(bytes) { line, wasCut in take(line, wasCut, now) }
        }
        if isProgram { log.flow.worked(from: now) }
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

    private var isProgram: Bool { source.stream != nil }

    private func take(_ line: UnsafeRawBufferPointer, _ wasCut: Bool, _ now: MonotonicTime) {
        guard !line.isEmpty else { return }
        heard?(line)
        guard isProgram || budget.take(now: now) else {
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
