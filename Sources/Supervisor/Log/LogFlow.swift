import DequeModule
import LinuxSystem
import Model
import NIOCore

/// Has programs wait rather than lose lines: when their output is read, so that neither the event loop nor whoever writes the
/// lines falls behind. What a program prints meanwhile stays in its pipe, and then the program waits in write(2).
///
/// Confined to the event loop.
final class LogFlow {
    /// Work that may be done at once after a quiet time. Above it the loop has as much time for others as for lines of programs.
    static let slack = Duration.milliseconds(10)
    /// Between two looks at writers that are behind.
    static let look = Duration.milliseconds(50)
    /// Between two pipes that were made to wait.
    static let pause = Duration.milliseconds(1)

    private let eventLoop: any EventLoop
    private let clock: () -> MonotonicTime
    /// Whether what was read waits to be written, by writers that are worth waiting for.
    var isBehind: () -> Bool = { false }
    private var waiting: Deque<() -> Void> = []
    /// The work so far is paid for by then.
    private var settledAt: MonotonicTime
    private var isScheduled = false
    /// Nothing is read, whatever there is time for.
    var isHeld = false {
        didSet { if !isHeld { schedule(clock()) } }
    }

    init(eventLoop: any EventLoop, clock: @escaping () -> MonotonicTime) {
        self.eventLoop = eventLoop
        self.clock = clock
        settledAt = clock()
    }

    /// Reads now, or once it is the reader's turn.
    func read(_ read: @escaping () -> Void) {
        if waiting.isEmpty, mayRead(clock()) { return read() }
        waiting.append(read)
        schedule(clock())
    }

    /// Lines of a program took this much of the loop's time.
    func worked(from start: MonotonicTime) {
        let now = clock()
        settledAt = max(start, settledAt) + (now - start) * 2
        if settledAt < now { settledAt = now }
    }

    /// A writer has written something.
    func progressed() {
        guard !waiting.isEmpty, mayRead(clock()) else { return }
        waiting.popFirst()?()
    }

    private func mayRead(_ now: MonotonicTime) -> Bool { !isHeld && !isBehind() && settledAt - now <= Self.slack }

    private func schedule(_ now: MonotonicTime) {
        guard !isScheduled, !waiting.isEmpty else { return }
        isScheduled = true
        let delay = isBehind() || isHeld ? Self.look : Self.pause
        let due = max(now + delay, settledAt - Self.slack)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: .nanoseconds((due - now).nanoseconds)) { bound.value.takeTurn() }
    }

    /// One at a time: each may bring 64 KiB of lines.
    private func takeTurn() {
        isScheduled = false
        if mayRead(clock()) { waiting.popFirst()?() }
        schedule(clock())
    }
}
