/// Which minutes have come since it was last asked, on a clock that is set, and put forward and back by summer time.
///
/// Each minute comes once, and one that the clock skips comes late, where a schedule names hours; those that come in every hour
/// go by the time that passes, as in cron(8).
package struct CronClock: Sendable {
    /// Minutes that are made up for after a late call; after a longer gap (a machine that slept) only the present one counts.
    package static let longestGap = 10
    /// Minutes by which local time may jump, either way, before it counts as set anew.
    package static let longestJump = 180

    /// The last minute that has come, since 1970, in UTC and in local time.
    private var last: (utc: Int, local: Int)?
    /// The last ones that came, with the local ones that no earlier call has seen.
    private var came: [(minute: LocalMinute, new: [LocalMinute])] = []

    package init() {}

    /// Whether a schedule has come due with the last call of ``pass(to:offset:)``.
    package func isDue(_ schedule: CronSchedule) -> Bool {
        came.contains { came in
            schedule.isHourly ? schedule.matches(came.minute) : came.new.contains(where: schedule.matches)
        }
    }

    /// Takes the time. With the first call nothing comes due: the minute has begun already.
    ///
    /// - Parameters:
    ///   - seconds: since 1970, UTC.
    ///   - offset: seconds by which local time is ahead of UTC.
    /// - Returns: whether a minute has come.
    package mutating func pass(to seconds: Int, offset: Int) -> Bool {
        came = []
        let utc = Self.minutes(seconds)
        let local = Self.minutes(seconds + offset)
        guard let last, utc > last.utc - Self.longestJump else {
            last = (utc, local)
            return false
        }
        // Set back: what has come does not come again.
        guard utc > last.utc else { return false }
        let isLate = utc - last.utc > Self.longestGap
        var seen = last.local
        for minute in (isLate ? utc : last.utc + 1)...utc {
            let here = local - (utc - minute)
            let isSet = abs(here - seen) > Self.longestJump
            let first = isSet ? here : isLate ? max(here, seen + 1) : seen + 1
            came.append((LocalMinute(index: here), first > here ? [] : (first...here).map(LocalMinute.init(index:))))
            seen = isSet ? here : max(seen, here)
        }
        self.last = (utc, seen)
        return true
    }

    private static func minutes(_ seconds: Int) -> Int {
        seconds >= 0 ? seconds / 60 : (seconds - 59) / 60
    }
}
