/// The date format of HTTP fields, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7), as seconds since 1970.
enum HTTPDate {
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Times before 1970 and after 9999 are written as the nearest one that has a form.
    static func format(_ seconds: Int64) -> String {
        let time = min(max(seconds, 0), 253_402_300_799)
        let (days, ofDay) = time.quotientAndRemainder(dividingBy: 86_400)
        let (year, month, day) = civil(days)
        let clock = [ofDay / 3600, ofDay / 60 % 60, ofDay % 60].map(twoDigits).joined(separator: ":")
        let weekday = weekdays[Int(days % 7)]
        return "\(weekday), \(twoDigits(day)) \(months[Int(month) - 1]) \(fourDigits(year)) \(clock) GMT"
    }

    /// Reads the one form that is sent today; `nil` for others, so that a condition made with them does not hold.
    static func parse(_ text: String) -> Int64? {
        let parts = text.split(separator: " ")
        guard !text.contains("+"), !text.contains("-"), parts.count == 6, parts[0].hasSuffix(","), parts[5] == "GMT",
            parts[1].utf8.count == 2,
            parts[3].utf8.count == 4, let month = months.firstIndex(where: { $0 == parts[2] }),
            let day = Int64(parts[1]), (1...31).contains(day), let year = Int64(parts[3]), year >= 1970
        else { return nil }
        let clock = parts[4].split(separator: ":").map { $0.utf8.count == 2 ? Int64($0) ?? -1 : -1 }
        guard clock.count == 3, (0...23).contains(clock[0]), (0...59).contains(clock[1]), (0...60).contains(clock[2])
        else { return nil }
        return days(year, Int64(month) + 1, day) * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    }

    /// Days since 1970 to year, month 1…12 and day 1…31. Years are counted from March, so that the leap day is the last.
    private static func civil(_ days: Int64) -> (Int64, Int64, Int64) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let ofEra = shifted % 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let fromMarch = month <= 2 ? year - 1 : year
        let era = fromMarch / 400
        let yearOfEra = fromMarch % 400
        let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + ofYear - 719_468
    }

    private static func twoDigits(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }

    private static func fourDigits(_ value: Int64) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    }
}
