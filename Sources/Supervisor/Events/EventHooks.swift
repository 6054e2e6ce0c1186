import DequeModule
import Model
import NIOCore
import Wire

/// Carries out a hook for one event.
///
/// Confined to the event loop; `done` comes there once, by the timeout at the latest, never before the call has returned.
protocol EventHookSystem: AnyObject {
    /// - Parameter done: `nil`: all is well; otherwise a sentence's end (`exited with 1`).
    func run(_ hook: EventHookConfiguration, name: String, _ event: ServiceEvent, done: @escaping (String?) -> Void)
    func call(_ hook: EventHookConfiguration, _ event: ServiceEvent, done: @escaping (String?) -> Void)
}

/// Decides which event a hook is told, and when: each hook one after the other, within its rate, and few hooks at the same time.
/// Confined to the event loop; it never waits.
final class EventHooks {
    /// Hooks that are being carried out at the same time.
    static let maxRunning = 8
    /// Events that wait for one hook.
    static let maxWaiting = 100

    private final class Hook {
        let name: String
        let configuration: EventHookConfiguration
        /// What its rate still allows.
        var allowance: Double
        var countedAt: MonotonicTime
        var waiting: Deque<ServiceEvent> = []
        var isRunning = false
        var leftOut = 0
        /// The last that was left out: told once the rate allows it, so that how it ended is always told.
        var last: ServiceEvent?

        init(_ index: Int, _ configuration: EventHookConfiguration, now: MonotonicTime) {
            name = "onEvent[\(index)]"
            self.configuration = configuration
            allowance = Double(configuration.rateLimit.burst)
            countedAt = now
        }

        func wants(_ event: ServiceEvent) -> Bool {
            if !configuration.programs.isEmpty {
                guard let program = event.program, configuration.programs.contains(program) else { return false }
            }
            let names = event.names
            return configuration.events.contains { $0.fits(names) }
        }

        /// One more, if the rate allows it.
        func allows(now: MonotonicTime) -> Bool {
            let limit = configuration.rateLimit
            guard !limit.isOff else { return true }
            let seconds = max(0, (now - countedAt).inSeconds)
            allowance = min(Double(limit.burst), allowance + seconds * limit.perSecond)
            countedAt = now
            guard allowance >= 1 else { return false }
            allowance -= 1
            return true
        }
    }

    private let log: LogCenter
    private let system: any EventHookSystem
    private let clock: () -> MonotonicTime
    private var hooks: [Hook] = []
    private var running = 0
    /// Hooks of a former configuration that still have something to do.
    private var former: [Hook] = []

    init(log: LogCenter, system: any EventHookSystem, clock: @escaping () -> MonotonicTime) {
        self.log = log
        self.system = system
        self.clock = clock
    }

    /// These from now on. What waits for one that is gone is still told.
    func configure(_ configurations: [EventHookConfiguration]) {
        guard configurations != hooks.map(\.configuration) else { return }
        former += hooks.filter { !$0.waiting.isEmpty || $0.leftOut > 0 }
        let now = clock()
        hooks = configurations.enumerated().map { Hook($0, $1, now: now) }
    }

    func take(_ event: ServiceEvent) {
        guard !hooks.isEmpty else { return }
        let now = clock()
        for hook in hooks where hook.wants(event) {
            if hook.waiting.count < Self.maxWaiting, hook.allows(now: now) {
                enter(event, hook)
            } else {
                hook.leftOut += 1
                hook.last = event
            }
        }
        begin()
    }

    /// Once a second: tells what was left out.
    func secondPassed() {
        let now = clock()
        for hook in hooks + former where hook.leftOut > 0 && hook.waiting.count < Self.maxWaiting {
            guard let event = hook.last, hook.allows(now: now) else { continue }
            // It is told itself.
            hook.leftOut -= 1
            enter(event, hook)
        }
        former.removeAll { $0.waiting.isEmpty && $0.leftOut == 0 }
        begin()
    }

    /// Nothing more is carried out until it is `false` again; see ``isResting``.
    var isHeld = false {
        didSet { begin() }
    }

    /// Nothing is being carried out.
    var isResting: Bool { running == 0 }

    /// What waits for each hook, in the order of the configuration.
    var waiting: [[ServiceEvent]] { hooks.map { Array($0.waiting) } }

    /// Takes over what waited for these hooks. After ``configure(_:)``.
    func resume(_ waiting: [[ServiceEvent]]) {
        for (hook, events) in zip(hooks, waiting) { hook.waiting.append(contentsOf: events) }
        begin()
    }

    /// Nothing is to be carried out, or being carried out.
    var isIdle: Bool { running == 0 && (hooks + former).allSatisfy(\.waiting.isEmpty) }

    private func enter(_ event: ServiceEvent, _ hook: Hook) {
        var event = event
        event.text = "wsd: \(event.sentence)"
        if hook.leftOut > 0 {
            event.leftOut = hook.leftOut
            event.text = "\(event.text ?? "") [\(hook.leftOut) other events were left out]"
            log.takeOwn(
                .warning, "Events were left out: the rate limit of a hook",
                ["hook": hook.name, "events": String(hook.leftOut)])
        }
        hook.leftOut = 0
        hook.last = nil
        hook.waiting.append(event)
    }

    private func begin() {
        for hook in former + hooks where !hook.isRunning {
            guard running < Self.maxRunning, !isHeld else { return }
            guard let event = hook.waiting.popFirst() else { continue }
            hook.isRunning = true
            running += 1
            let done = { [self] (failure: String?) in ended(hook, event, failure) }
            if hook.configuration.run.isEmpty {
                system.call(hook.configuration, event, done: done)
            } else {
                system.run(hook.configuration, name: hook.name, event, done: done)
            }
        }
    }

    private func ended(_ hook: Hook, _ event: ServiceEvent, _ failure: String?) {
        hook.isRunning = false
        running -= 1
        if let failure {
            log.takeOwn(
                .warning, "A hook failed", ["hook": hook.name, "event.type": event.type, "error": failure])
        }
        begin()
    }
}
