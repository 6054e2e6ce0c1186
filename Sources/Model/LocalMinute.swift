/// A minute on the clock on the wall.
package struct LocalMinute: Hashable, Sendable {
    /// 0…59.
    package var minute: Int
    /// 0…23.
    package var hour: Int
    /// Of the month, 1…31.
    package var day: Int
    /// 1…12.
    package var month: Int
    /// 0 (Sunday)…6.
    package var weekday: Int

    package init(minute: Int, hour: Int, day: Int, month: Int, weekday: Int) {
        self.minute = minute
        self.hour = hour
        self.day = day
        self.month = month
        self.weekday = weekday
    }

    /// - Parameter index: minutes of local time since 1970-01-01 00:00, ±10⁹ at most.
    package init(index: Int) {
        let index = min(max(index, -1_000_000_000), 1_000_000_000)
        let dayIndex = Self.floor(index, by: 1440)
        let ofDay = index - dayIndex * 1440
        // Gregorian calendar in eras of 400 years that begin on 1 March.
        let shifted = dayIndex + 719_468
        let era = Self.floor(shifted, by: 146_097)
        let ofEra = shifted - era * 146_097
        let year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let fromMarch = (5 * ofYear + 2) / 153
        self.init(
            minute: ofDay % 60, hour: ofDay / 60, day: ofYear - (153 * fromMarch + 2) / 5 + 1,
            month: fromMarch < 10 ? fromMarch + 3 : fromMarch - 9,
            // 1970-01-01 was a Thursday.
            weekday: dayIndex + 4 - Self.floor(dayIndex + 4, by: 7) * 7)
    }

    /// Days of a month, in a leap year.
    static func longest(month: Int) -> Int {
        switch month {
        case 2: 29
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func floor(_ number: Int, by divisor: Int) -> Int {
        number >= 0 ? number / divisor : (number - divisor + 1) / divisor
    }
}
