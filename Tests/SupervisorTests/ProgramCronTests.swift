import Model
import NIOCore
import NIOEmbedded
import Testing

@testable import Supervisor

struct ProgramCronTests {
    /// 2026-03-05 12:00 UTC.
    private static let noon = 1_772_712_000.0

    private final class World {
        let eventLoop = EmbeddedEventLoop()
        /// What the clock is ahead of the event loop's time.
        var ahead: Double
        var due: [String] = []
        private(set) var cron: ProgramCron?

        init(at start: Double) {
            ahead = start
            let begin = eventLoop.now
            cron = ProgramCron(
                eventLoop: eventLoop,
                clock: { [unowned self] in
                    ahead + Double((eventLoop.now - begin).nanoseconds) / 1e9
                }, offset: { _ in 3600 }
            ) { [unowned self] in due.append($0) }
        }

        func pass(_ seconds: Int64) -> [String] {
            due = []
            eventLoop.advanceTime(by: .seconds(seconds))
            return due
        }
    }

    @Test func programsAreToldAtTheFullMinuteOfLocalTime() throws {
        let world = World(at: Self.noon - 30.5)
        world.cron?.schedule("often", try CronSchedule("* * * * *"))
        world.cron?.schedule("noon", try CronSchedule("0 13 * * *"))
        #expect(world.pass(30) == [])
        #expect(world.pass(1) == ["noon", "often"])
        #expect(world.pass(59) == [])
        #expect(world.pass(1) == ["often"])
        world.cron?.schedule("often", nil)
        #expect(world.pass(60) == [])
        world.cron?.schedule("often", try CronSchedule("*/2 * * * *"))
        #expect(world.pass(300) == ["often", "often"])
        world.cron?.schedule("noon", nil)
        world.cron?.schedule("often", nil)
        #expect(world.pass(300) == [])
    }

    @Test func aClockThatIsSetBackRunsNoMinuteTwice() throws {
        let world = World(at: Self.noon - 10)
        world.cron?.schedule("often", try CronSchedule("* * * * *"))
        #expect(world.pass(20) == ["often"])
        world.ahead -= 60
        #expect(world.pass(60) == [])
        #expect(world.pass(60) == ["often"])
    }

    /// A change comes to an end before it is told; one that does not is told all the same.
    @Test func changesAreToldWhenItIsQuiet() {
        let eventLoop = EmbeddedEventLoop()
        var told: [String] = []
        let quiet = QuietTime(.milliseconds(200), eventLoop: eventLoop) { told.append($0) }
        quiet.changed("a")
        eventLoop.advanceTime(by: .milliseconds(150))
        quiet.changed("b")
        eventLoop.advanceTime(by: .milliseconds(199))
        #expect(told == [])
        eventLoop.advanceTime(by: .milliseconds(1))
        #expect(told == ["a"])
        for _ in 0..<399 {
            quiet.changed("busy")
            eventLoop.advanceTime(by: .milliseconds(100))
        }
        #expect(told == ["a", "busy"])
        quiet.stop()
        eventLoop.advanceTime(by: .seconds(60))
        #expect(told == ["a", "busy"])
        quiet.changed("c")
        eventLoop.advanceTime(by: .milliseconds(200))
        #expect(told == ["a", "busy", "c"])
    }
}
