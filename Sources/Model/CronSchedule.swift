/// Minutes of local time, as crontab(5) writes them in five fields.
package struct CronSchedule: Hashable, Sendable, Codable, CustomStringConvertible {
    /// As it was written.
    package var text: String
    /// Bit n: minute n, 0…59.
    package var minutes: UInt64
    /// Bit n: hour n, 0…23.
    package var hours: UInt64
    /// Bit n: day n of the month, 1…31.
    package var days: UInt64
    /// Bit n: month n, 1…12.
    package var months: UInt64
    /// Bit n: weekday n, 0 (Sunday)…6.
    package var weekdays: UInt64
    /// Days of the month and weekdays are both restricted: one of them is enough then (crontab(5)).
    package var eitherDay: Bool

    /// Reads `minute hour day month weekday` (lists, ranges, steps, names), or `@hourly` and its like.
    package init(_ text: String) throws(CronError) {
        let fields = try Self.fields(of: text)
        minutes = try CronField.minute.bits(fields[0])
        hours = try CronField.hour.bits(fields[1])
        days = try CronField.day.bits(fields[2])
        months = try CronField.month.bits(fields[3])
        weekdays = try CronField.weekday.bits(fields[4])
        eitherDay = !fields[2].hasPrefix("*") && !fields[4].hasPrefix("*")
        self.text = text
        guard eitherDay || hasDate else { throw CronError("“\(text)” never comes: no such month has such a day.") }
    }

    package var description: String { text }

    /// Whether it is due in this minute.
    package func matches(_ minute: LocalMinute) -> Bool {
        func has(_ bits: UInt64, _ number: Int) -> Bool { (0..<64).contains(number) && bits & (1 << number) != 0 }
        guard has(minutes, minute.minute), has(hours, minute.hour), has(months, minute.month) else { return false }
        let (isDay, isWeekday) = (has(days, minute.day), has(weekdays, minute.weekday))
        return eitherDay ? isDay || isWeekday : isDay && isWeekday
    }

    /// It comes in every hour, so that the skips and repeats of summer time are nothing to it.
    package var isHourly: Bool { hours == CronField.hour.all }

    /// The longest text that is read; nobody writes more.
    private static let maxBytes = 1024

    private static let nicknames = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]

    private static func fields(of text: String) throws(CronError) -> [Substring] {
        guard text.utf8.count <= maxBytes else { throw CronError("A schedule has at most \(maxBytes) bytes.") }
        let words = text.split { $0 == " " || $0 == "\t" }
        if let first = words.first, first.hasPrefix("@") {
            guard words.count == 1, let meant = nicknames[first.lowercased()] else {
                throw CronError(
                    "“\(text)” is no schedule. Of such words there are \(nicknames.keys.sorted().joined(separator: ", "))."
                )
            }
            return meant.split(separator: " ")
        }
        guard words.count == 5 else {
            throw CronError(
                "“\(text)” has \(words.count) fields. A schedule has five: minute, hour, day, month and weekday, "
                    + "as in “30 4 * * *” for half past four in the morning.")
        }
        return words
    }

    /// Some day of the calendar is meant.
    private var hasDate: Bool {
        (1...12).contains { month in
            months & (1 << month) != 0 && days & ((UInt64(2) << LocalMinute.longest(month: month)) - 1) != 0
        }
    }
}

/// What is wrong with a schedule: a sentence.
package struct CronError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// One of the five, and what may stand in it.
private struct CronField {
    let name: String
    let range: ClosedRange<Int>
    /// Three letters each; the first is for the range's lowest number.
    var names: [String] = []

    static let minute = CronField(name: "minute", range: 0...59)
    static let hour = CronField(name: "hour", range: 0...23)
    static let day = CronField(name: "day", range: 1...31)
    static let month = CronField(
        name: "month", range: 1...12,
        names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
    /// 7 is Sunday, too.
    static let weekday = CronField(
        name: "weekday", range: 0...7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])

    var all: UInt64 { range.reduce(0) { $0 | 1 << $1 } }

    /// The numbers that a field stands for.
    func bits(_ field: Substring) throws(CronError) -> UInt64 {
        var bits: UInt64 = 0
        for item in field.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            var step = 1
            if parts.count == 2 {
                guard let number = Int(parts[1]), range.upperBound >= number, number > 0 else {
                    throw error("a step is a number from 1 to \(range.upperBound), not “\(parts[1])”")
                }
                step = number
            }
            let span = try span(parts[0], isOpen: parts.count == 2)
            for number in stride(from: span.lowerBound, through: span.upperBound, by: step) { bits |= 1 << number }
        }
        if range.upperBound == 7, bits & 1 << 7 != 0 { bits = bits & ~(1 << 7) | 1 }
        return bits
    }

    /// - Parameter isOpen: a single number goes on to the end of the range, as it does before a step.
    private func span(_ text: Substring, isOpen: Bool) throws(CronError) -> ClosedRange<Int> {
        // Not to 7 for weekdays: `*/2` would be Sunday twice, and each day but one wrong.
        let last = names.count == 7 ? 6 : range.upperBound
        if text == "*" { return range.lowerBound...last }
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let from = try number(ends[0])
        guard ends.count == 2 else { return from...(isOpen ? max(from, last) : from) }
        let to = try number(ends[1])
        guard from <= to else { throw error("“\(text)” runs backwards; write two ranges with a comma") }
        return from...to
    }

    private func number(_ text: Substring) throws(CronError) -> Int {
        if let index = names.firstIndex(of: text.lowercased()) { return index + range.lowerBound }
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let number = Int(text),
            range.contains(number)
        else {
            let named = names.isEmpty ? "" : " (or \(names[0])…\(names[names.count - 1]))"
            throw error("“\(text)” is no number from \(range.lowerBound) to \(range.upperBound)\(named)")
        }
        return number
    }

    private func error(_ words: String) -> CronError {
        CronError("The \(name) of a schedule: \(words).")
    }
}
