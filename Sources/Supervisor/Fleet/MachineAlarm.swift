import Model
import NIOCore

/// Tells a driver when the machine's time has come. Confined to the event loop.
final class MachineAlarm {
    /// Longest time between two looks at the clock.
    static let tick = Duration.milliseconds(500)

    private let eventLoop: any EventLoop
    private let clock: () -> MonotonicTime
    private var pending: (at: MonotonicTime, task: Scheduled<Void>)?

    init(eventLoop: any EventLoop, clock: @escaping () -> MonotonicTime) {
        self.eventLoop = eventLoop
        self.clock = clock
    }

    /// Rings once at `deadline`, within ``tick`` at the latest, or as it was set before where that is earlier.
    func set(for deadline: MonotonicTime?, ring: @escaping () -> Void) {
        let now = clock()
        let latest = now + Self.tick
        let due = deadline.map { min($0, latest) } ?? latest
        if let pending, pending.at <= due { return }
        pending?.task.cancel()
        let delay = TimeAmount.nanoseconds(max(0, (due - now).nanoseconds))
        let bound = NIOLoopBound((alarm: self, ring: ring), eventLoop: eventLoop)
        // One turn later than due: what links, pipes and pidfds have to say goes first.
        let task = eventLoop.scheduleTask(in: delay) {
            bound.eventLoop.execute {
                bound.value.alarm.pending = nil
                bound.value.ring()
            }
        }
        pending = (due, task)
    }

    func cancel() {
        pending?.task.cancel()
        pending = nil
    }
}
