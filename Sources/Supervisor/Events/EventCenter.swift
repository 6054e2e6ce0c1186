import Model
import NIOCore
import Supervision
import Wire

/// Takes what happens, keeps it, and hands it to hooks and to whoever follows. Confined to the event loop.
final class EventCenter {
    /// Followers are woken this long after an event, so that a flood wakes them seldom.
    static let wakeDelay = TimeAmount.milliseconds(20)

    private let eventLoop: any EventLoop
    private(set) var store = EventStore()
    /// `nil`: nobody could carry hooks out.
    let hooks: EventHooks?
    private var waiting: [EventLoopPromise<Void>] = []
    private var isWakeScheduled = false

    init(eventLoop: any EventLoop, hooks: EventHooks?) {
        self.eventLoop = eventLoop
        self.hooks = hooks
    }

    func take(_ event: FleetEvent) { take(ServiceEvent(event)) }
    func take(_ event: ProgramEvent) { take(ServiceEvent(event)) }

    func take(_ kind: EventKind, _ level: LogLevel, _ message: String, _ fields: [String: String] = [:]) {
        take(ServiceEvent(kind, level, message, fields))
    }

    private func take(_ event: ServiceEvent) {
        for event in [event.precedingEnd, event].compactMap({ $0 }) {
            let kept = store.append(event)
            hooks?.take(kept)
        }
        guard !waiting.isEmpty, !isWakeScheduled else { return }
        isWakeScheduled = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: Self.wakeDelay) { bound.value.wake() }
    }

    /// Goes on where the program before this one ended.
    func resume(_ kept: [ServiceEvent], after sequence: Int) { store.resume(kept, after: sequence) }

    /// Done when there may be new events.
    func next() -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        waiting.append(promise)
        return promise.futureResult
    }

    /// Lets followers look for new events, or find that the service ends.
    func wake() {
        isWakeScheduled = false
        let waiting = waiting
        self.waiting = []
        waiting.forEach { $0.succeed() }
    }
}
