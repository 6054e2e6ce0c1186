import NIOCore

/// Waits after a change until nothing changes any more. Confined to the event loop.
final class QuietTime {
    /// A change that never comes to an end is told after this long all the same.
    static let longest = TimeAmount.seconds(30)

    private let delay: TimeAmount
    private let eventLoop: any EventLoop
    private let settled: (String) -> Void
    private var first: (what: String, at: NIODeadline)?
    private var last = NIODeadline.distantPast
    private var timer: Scheduled<Void>?

    /// - Parameter settled: with the first of the changes; never within ``changed(_:)``.
    init(_ delay: TimeAmount, eventLoop: any EventLoop, _ settled: @escaping (String) -> Void) {
        (self.delay, self.eventLoop, self.settled) = (delay, eventLoop, settled)
    }

    func changed(_ what: String) {
        last = eventLoop.now
        guard first == nil else { return }
        first = (what, last)
        wait()
    }

    func stop() {
        timer?.cancel()
        first = nil
    }

    private func wait() {
        guard let first else { return }
        let due = min(last + delay, first.at + max(Self.longest, delay))
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleTask(deadline: due) { bound.value.timePassed(due) }
    }

    private func timePassed(_ due: NIODeadline) {
        guard let first else { return }
        guard last + delay <= due || first.at + max(Self.longest, delay) <= due else { return wait() }
        self.first = nil
        settled(first.what)
    }
}
