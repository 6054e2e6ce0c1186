import Glibc
import LinuxSystem
import Model
import NIOCore
import NIOPosix

/// Writes text to a file or to standard error without ever holding up the event loop.
///
/// One write at a time runs on a thread of its own; what comes meanwhile is gathered, up to ``queueMax`` bytes. Beyond that
/// it is dropped and counted: a terminal that is stopped or a pipe nobody reads costs lines, never the service. While writes
/// end in time those who can wait do (``isBehind``), and what had been read of many of them at once still finds room, up to
/// ``burstMax``.
/// Confined to the event loop, except for the destination, which only the thread touches.
final class BackgroundWriter {
    static let queueMax = 1024 * 1024
    static let burstMax = 32 * 1024 * 1024
    /// How long one write may take before nobody waits for it any more.
    static let patience = Duration.seconds(5)

    private let eventLoop: any EventLoop
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let destination: any LogDestination
    private var pending: [UInt8] = []
    /// When the present write began.
    private var writingSince: MonotonicTime?
    private var isWriting: Bool { writingSince != nil }
    private let clock: () -> MonotonicTime
    private var waiting: [EventLoopPromise<Void>] = []
    /// Lines dropped since the start.
    private(set) var dropped = 0
    private var unreported = 0
    /// Called when something was written.
    var progressed: () -> Void = {}

    init(
        eventLoop: any EventLoop, destination: any LogDestination,
        clock: @escaping () -> MonotonicTime = MonotonicTime.now
    ) {
        self.clock = clock
        self.eventLoop = eventLoop
        self.destination = destination
        pool.start()
    }

    deinit {
        pool.shutdownGracefully { _ in }
    }

    func write(_ line: String) { write(line.utf8) }

    func write(_ line: some Collection<UInt8>) {
        let size = pending.count + line.count
        guard size <= Self.queueMax || size <= Self.burstMax && !isStuck else {
            dropped += 1
            unreported += 1
            return
        }
        pending += line
        if !isWriting { next() }
    }

    /// Lines dropped since this was last asked; 0 while the queue is still full.
    func takeDropped() -> Int {
        guard pending.count < Self.queueMax / 2 else { return 0 }
        defer { unreported = 0 }
        return unreported
    }

    /// Whether so much waits to be written that those who can wait should.
    var isBehind: Bool {
        pending.count > Self.queueMax / 2 && isWriting && !isStuck
    }

    /// The present write takes too long.
    private var isStuck: Bool { writingSince.map { clock() - $0 >= Self.patience } ?? false }

    /// Runs `work` on the thread once everything taken so far is written.
    func run<Result: Sendable>(_ work: @escaping @Sendable () -> Result) -> EventLoopFuture<Result> {
        let (pool, eventLoop) = (pool, eventLoop)
        return flushed().flatMap { pool.runIfActive(eventLoop: eventLoop, work) }
    }

    /// Has the destination open its file anew, behind what is queued.
    func reopen() {
        let destination = destination
        pool.submit { _ in destination.reopen() }
    }

    /// Everything taken so far is written.
    var isIdle: Bool { !isWriting }

    /// Done when everything taken so far is written.
    func flushed() -> EventLoopFuture<Void> {
        guard isWriting else { return eventLoop.makeSucceededVoidFuture() }
        let promise = eventLoop.makePromise(of: Void.self)
        waiting.append(promise)
        return promise.futureResult
    }

    private func next() {
        guard !pending.isEmpty else {
            writingSince = nil
            let waiting = waiting
            self.waiting = []
            waiting.forEach { $0.succeed() }
            return
        }
        writingSince = clock()
        let bytes = pending
        pending = []
        let destination = destination
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        pool.runIfActive(eventLoop: eventLoop) { bytes.withUnsafeBytes(destination.write) }.whenComplete { _ in
            bound.value.next()
            bound.value.progressed()
        }
    }
}

/// Where log text ends up. Called from one thread only, and may block.
protocol LogDestination: Sendable {
    /// Whole lines, or whole records.
    func write(_ bytes: UnsafeRawBufferPointer)
    func reopen()
}

extension LogDestination {
    func write(_ text: String) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
    }
}

/// A descriptor that stays open, as a rule standard error. Errors are ignored: there is no better place to report them.
struct DescriptorDestination: LogDestination {
    let descriptor: Int32

    func write(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while let start = rest.baseAddress, !rest.isEmpty {
            let count = Glibc.write(descriptor, start, rest.count)
            if count > 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            } else if count < 0, errno == EAGAIN {
                // Somebody else made it non-blocking; wait as a blocking write would.
                var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&poller, 1, -1)
            } else if count == 0 || errno != EINTR {
                return
            }
        }
    }

    func reopen() {}
}
