import Testing

@testable import Model

@Suite struct CronScheduleTests {
    private static func minute(
        _ hour: Int, _ minute: Int, day: Int = 5, month: Int = 3, weekday: Int = 4
    ) -> LocalMinute {
        LocalMinute(minute: minute, hour: hour, day: day, month: month, weekday: weekday)
    }

    @Test(
        arguments: [
            ("* * * * *", 13, 7, true),
            ("30 4 * * *", 4, 30, true),
            ("30 4 * * *", 4, 31, false),
            ("*/15 * * * *", 9, 45, true),
            ("*/15 * * * *", 9, 50, false),
            ("5/20 * * * *", 9, 45, true),
            ("0-10/5,58 8-9 * * *", 9, 58, true),
            ("0-10/5,58 8-9 * * *", 8, 15, false),
            ("0-10/5,58 8-9 * * *", 10, 5, false),
            ("@hourly", 9, 0, true),
            ("@DAILY", 9, 0, false),
            ("0 9 * MAR thu", 9, 0, true),
            ("0 9 * apr-dec *", 9, 0, false),
            (" 0\t9 * * 4-7 ", 9, 0, true),
            ("0 9 * * 5-7", 9, 0, false),
        ] as [(String, Int, Int, Bool)])
    func timesOfDay(text: String, hour: Int, minute: Int, isDue: Bool) throws {
        #expect(try CronSchedule(text).matches(Self.minute(hour, minute)) == isDue)
    }

    @Test func sundayHasTwoNumbersAndStepsDoNotCountIt() throws {
        for text in ["0 0 * * 0", "0 0 * * 7", "0 0 * * sun", "0 0 * * 5-7"] {
            #expect(try CronSchedule(text).matches(Self.minute(0, 0, weekday: 0)), "\(text)")
        }
        #expect(try CronSchedule("0 0 * * */2").weekdays == 0b101_0101)
        #expect(try CronSchedule("0 0 * * 7").weekdays == 1)
    }

    /// crontab(5): either of two restricted days is enough; a star, with a step too, restricts by itself.
    @Test func twoDays() throws {
        let friday13 = try CronSchedule("0 0 13 * 5")
        #expect(friday13.matches(Self.minute(0, 0, day: 13, weekday: 1)))
        #expect(friday13.matches(Self.minute(0, 0, day: 5, weekday: 5)))
        #expect(!friday13.matches(Self.minute(0, 0, day: 5, weekday: 4)))
        let oddMonday = try CronSchedule("0 0 */2 * 1")
        #expect(oddMonday.matches(Self.minute(0, 0, day: 5, weekday: 1)))
        #expect(!oddMonday.matches(Self.minute(0, 0, day: 6, weekday: 1)))
        #expect(!oddMonday.matches(Self.minute(0, 0, day: 5, weekday: 2)))
    }

    @Test(
        arguments: [
            ("61 * * * *", "The minute of a schedule: “61” is no number from 0 to 59."),
            ("* 24 * * *", "The hour of a schedule: “24” is no number from 0 to 23."),
            ("* * 0 * *", "The day of a schedule: “0” is no number from 1 to 31."),
            ("* * * febr *", "The month of a schedule: “febr” is no number from 1 to 12 (or jan…dec)."),
            ("* * * * fri-mon", "The weekday of a schedule: “fri-mon” runs backwards; write two ranges with a comma."),
            ("*/0 * * * *", "The minute of a schedule: a step is a number from 1 to 59, not “0”."),
            ("1,,2 * * * *", "The minute of a schedule: “” is no number from 0 to 59."),
            ("-1 * * * *", "The minute of a schedule: “” is no number from 0 to 59."),
            ("1- * * * *", "The minute of a schedule: “” is no number from 0 to 59."),
            ("+1 * * * *", "The minute of a schedule: “+1” is no number from 0 to 59."),
            (
                "99999999999999999999 * * * *",
                "The minute of a schedule: “99999999999999999999” is no number from 0 to 59."
            ),
            ("0 0 31 2,4 *", "“0 0 31 2,4 *” never comes: no such month has such a day."),
        ])
    func whatIsWrongIsSaid(text: String, sentence: String) {
        let error = #expect(throws: CronError.self) { try CronSchedule(text) }
        #expect(error?.description == sentence)
    }

    @Test func otherFormsAreNamed() throws {
        let six = #expect(throws: CronError.self) { try CronSchedule("0 30 4 * * *") }
        #expect(six?.description.hasPrefix("“0 30 4 * * *” has 6 fields. A schedule has five: minute, hour,") == true)
        #expect(throws: CronError.self) { try CronSchedule("") }
        #expect(throws: CronError.self) { try CronSchedule("@reboot") }
        #expect(throws: CronError.self) { try CronSchedule(String(repeating: "1,", count: 600) + "1 * * * *") }
        #expect(try CronSchedule("0 0 29 2 *").matches(Self.minute(0, 0, day: 29, month: 2)))
        #expect(try CronSchedule("0 0 31 2 1").matches(Self.minute(0, 0, day: 1, month: 2, weekday: 1)))
    }

    @Test(
        arguments: [
            (0, [0, 0, 1, 1, 4]),
            (-1, [59, 23, 31, 12, 3]),
            (15_825_599, [59, 23, 2, 2, 3]),
            (15_863_040, [0, 0, 29, 2, 2]),
            (29_999_999, [59, 7, 15, 1, 5]),
        ])
    func minutesSince1970(index: Int, fields: [Int]) {
        let minute = LocalMinute(index: index)
        #expect([minute.minute, minute.hour, minute.day, minute.month, minute.weekday] == fields)
    }

    @Test func everyDayOfFourCenturiesFollowsTheOneBefore() {
        var (day, month, weekday) = (1, 1, 4)
        for index in 1...146_097 {
            let next = LocalMinute(index: index * 1440)
            let isNextDay = next.month == month && next.day == day + 1
            let isFirst = next.day == 1 && next.month == month % 12 + 1 && day >= 28
            guard isNextDay || isFirst, next.weekday == (weekday + 1) % 7 else {
                Issue.record("\(index): \(next)")
                return
            }
            (day, month, weekday) = (next.day, next.month, next.weekday)
        }
        #expect((day, month) == (1, 1))
    }
}

@Suite struct CronClockTests {
    private static let noon = 1_772_712_000

    /// Seconds, with the offset of local time, at which a schedule came due.
    private static func runs(_ text: String, _ times: [(seconds: Int, offset: Int)]) throws -> [Int] {
        let schedule = try CronSchedule(text)
        var clock = CronClock()
        return times.compactMap { time in
            clock.pass(to: time.seconds, offset: time.offset) && clock.isDue(schedule) ? time.seconds - noon : nil
        }
    }

    /// Looks once a minute, at local times that begin at `from` (minutes from noon, UTC) with the offset of each.
    private static func minutes(_ range: Range<Int>, offset: (Int) -> Int) -> [(seconds: Int, offset: Int)] {
        range.map { (noon + $0 * 60, offset($0) * 60) }
    }

    @Test func aMinuteComesOnceHoweverOftenTheClockIsRead() throws {
        let times = [-30, -1, 0, 0, 1, 30, 59, 60, 61].map { (seconds: Self.noon + $0, offset: 0) }
        #expect(try Self.runs("* * * * *", times) == [0, 60])
        #expect(try Self.runs("0 12 * * *", times) == [0])
    }

    @Test func theMinuteInWhichItBeginsIsOver() throws {
        #expect(try Self.runs("0 12 * * *", [(Self.noon, 0), (Self.noon + 30, 0), (Self.noon + 60, 0)]) == [])
    }

    @Test func aLateLookMakesUpForMinutesAndALongSleepForNone() throws {
        #expect(try Self.runs("0 12 * * *", [(Self.noon - 61, 0), (Self.noon + 240, 0)]) == [240])
        #expect(try Self.runs("0 12 * * *", [(Self.noon - 61, 0), (Self.noon + 3600, 0)]) == [])
        #expect(try Self.runs("0 12 * * *", [(Self.noon - 40_000, 0), (Self.noon + 2, 0)]) == [2])
    }

    @Test func aClockSetBackRunsNothingTwice() throws {
        let times = [-60, 0, 60, -30, 0, 30, 90, 120].map { (seconds: Self.noon + $0, offset: 0) }
        #expect(try Self.runs("* * * * *", times) == [0, 60, 120])
        #expect(try Self.runs("0 12 * * *", times) == [0])
        // Far back: the time before was wrong.
        let far = [100_000_000, 100_000_060, -60, 0].map { (seconds: Self.noon + $0, offset: 0) }
        #expect(try Self.runs("0 12 * * *", far) == [0])
    }

    /// 02:00 becomes 03:00 (minute 0 here): half past two does not come, and is made up for.
    @Test func summerTimeBegins() throws {
        let times = Self.minutes(-90..<90) { $0 < 0 ? -600 : -540 }
        #expect(try Self.runs("30 2 * * *", times) == [0])
        #expect(try Self.runs("30 3 * * *", times) == [1800])
        #expect(try Self.runs("*/30 * * * *", times) == [-3600, -1800, 0, 1800, 3600])
    }

    /// 03:00 becomes 02:00 (minute 0 here): half past two comes twice, and once is enough.
    @Test func summerTimeEnds() throws {
        let times = Self.minutes(-90..<90) { $0 < 0 ? -540 : -600 }
        #expect(try Self.runs("30 2 * * *", times) == [-1800])
        #expect(try Self.runs("0 3 * * *", times) == [3600])
        #expect(try Self.runs("*/30 * * * *", times) == [-3600, -1800, 0, 1800, 3600])
    }

    @Test func anotherTimeZoneIsANewTime() throws {
        let times = Self.minutes(-2..<3) { $0 < 0 ? 0 : 600 }
        #expect(try Self.runs("0 22 * * *", times) == [0])
        #expect(try Self.runs("0 14 * * *", times) == [])
    }
}
