import LinuxSystem
import Model
import NIOCore

/// Tells which programs' schedules have come due. Asleep while there is no schedule. Confined to the event loop.
final class ProgramCron {
    /// Longest time between two looks at the clock, which may be set in between.
    static let longestSleep = TimeAmount.seconds(60)

    private let eventLoop: any EventLoop
    private let clock: () -> Double
    private let offset: (Int) -> Int
    private let due: (String) -> Void
    private var schedules: [String: CronSchedule] = [:]
    private var minutes = CronClock()
    private var timer: Scheduled<Void>?

    /// - Parameters:
    ///   - clock: seconds since 1970.
    ///   - offset: seconds by which local time is ahead of UTC at such a moment.
    ///   - due: a program's name; at the beginning of each minute that its schedule means.
    init(
        eventLoop: any EventLoop, clock: @escaping () -> Double = Clocks.wallSeconds,
        offset: @escaping (Int) -> Int = LinuxSystem.LocalClock.offset(at:), due: @escaping (_ program: String) -> Void
    ) {
        (self.eventLoop, self.clock, self.offset, self.due) = (eventLoop, clock, offset, due)
    }

    /// From now on; `nil`: never.
    func schedule(_ program: String, _ schedule: CronSchedule?) {
        schedules[program] = schedule
        guard !schedules.isEmpty else { return stop() }
        guard timer == nil else { return }
        minutes = CronClock()
        look()
    }

    func stop() {
        schedules = [:]
        timer?.cancel()
        timer = nil
    }

    private func look() {
        let now = clock()
        let seconds = Int(now.rounded(.down))
        let isNew = minutes.pass(to: seconds, offset: offset(seconds))
        // To the full minute, not before it.
        let rest = (now / 60).rounded(.down) * 60 + 60 - now
        let sleep = min(Self.longestSleep, .milliseconds(Int64((rest * 1000).rounded(.up))))
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleTask(in: sleep) { bound.value.look() }
        guard isNew else { return }
        for (program, schedule) in schedules.sorted(by: { $0.key < $1.key })
        where minutes.isDue(schedule) && schedules[program] == schedule {
            due(program)
        }
    }
}
