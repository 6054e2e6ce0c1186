import DequeModule
import Model
import NIOCore
import Supervision

/// Starts processes no faster than the event loop has time for: each takes some milliseconds of it, and many that crash at once must
/// not keep requests from being answered. Confined to the event loop.
final class ProgramStarts {
    /// Starts may take half of the loop's time, and be ahead of that by so much.
    static let slack = Duration.milliseconds(50)
    /// Between two that wait, at least: what else the loop has to do goes first.
    static let pause = Duration.milliseconds(1)

    private let eventLoop: any EventLoop
    private let clock: () -> MonotonicTime
    private var waiting: Deque<(instance: InstanceID, start: () -> Void)> = []
    /// When the time that starts took is made up for.
    private var settledAt: MonotonicTime
    private var isScheduled = false

    init(eventLoop: any EventLoop, clock: @escaping () -> MonotonicTime) {
        self.eventLoop = eventLoop
        self.clock = clock
        settledAt = clock()
    }

    var isIdle: Bool { waiting.isEmpty }

    /// Starts now, or once it is its turn.
    func take(_ instance: InstanceID, _ start: @escaping () -> Void) {
        let now = clock()
        if waiting.isEmpty, settledAt - now <= Self.slack { return run(start, now) }
        waiting.append((instance, start))
        schedule(now)
    }

    /// Whether it was still waiting: it is not started any more.
    func cancel(_ instance: InstanceID) -> Bool {
        guard let index = waiting.firstIndex(where: { $0.instance == instance }) else { return false }
        waiting.remove(at: index)
        return true
    }

    private func run(_ start: () -> Void, _ began: MonotonicTime) {
        start()
        settledAt = max(began, settledAt) + (clock() - began) * 2
    }

    private func schedule(_ now: MonotonicTime) {
        guard !isScheduled, !waiting.isEmpty else { return }
        isScheduled = true
        let due = max(now + Self.pause, settledAt - Self.slack)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: .nanoseconds((due - now).nanoseconds)) { bound.value.takeTurn() }
    }

    private func takeTurn() {
        isScheduled = false
        let now = clock()
        if settledAt - now <= Self.slack, let next = waiting.popFirst() { run(next.start, now) }
        schedule(clock())
    }
}
