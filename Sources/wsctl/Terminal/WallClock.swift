import Glibc

/// The time of day, and times as people read and write them.
enum WallClock {
    /// Seconds since 1970.
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// `2026-11-21 06:00:51.123` in the reader's time zone.
    static func text(_ seconds: Double) -> String {
        let bounded = seconds.isFinite ? min(max(seconds, 0), 253_402_300_799) : 0
        let milliseconds = Int((bounded * 1000).rounded(.down))
        var whole = time_t(milliseconds / 1000)
        var parts = tm()
        localtime_r(&whole, &parts)
        let date = "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
        let fraction = String(milliseconds % 1000 + 1000).dropFirst()
        return "\(date) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(fraction)"
    }

    /// Without the date where it is the same as now's: for a terminal's few columns.
    static func textBriefly(_ seconds: Double, now: Double) -> String {
        let text = text(seconds)
        let date = text.prefix { $0 != " " }
        return Self.text(now).hasPrefix(date + " ") ? String(text.dropFirst(date.count + 1)) : text
    }

    private static func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
}

/// The value of `--since`: how long ago (`90s`, `10m`, `1h30m`, `2d`) or when (`2026-11-21`, `2026-11-21T06:00`,
/// `2026-11-21 06:00:51Z`, `06:00` for today). Without a zone, times are the reader's.
enum PointInTime {
    /// Seconds since 1970; `nil` when the text is none of these.
    static func parse(_ text: String, now: Double) -> Double? {
        if let ago = duration(text) { return now - ago }
        var rest = Substring(text)
        var whole = time_t(now)
        var parts = tm()
        localtime_r(&whole, &parts)
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (0, 0, 0)
        if rest.contains("-"), let date = date(&rest) {
            (parts.tm_year, parts.tm_mon, parts.tm_mday) = (date.year - 1900, date.month - 1, date.day)
            if rest.isEmpty { return local(parts) }
            guard rest.first == "T" || rest.first == " " else { return nil }
            rest.removeFirst()
        }
        guard let time = timeOfDay(&rest) else { return nil }
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (time.hour, time.minute, time.second)
        if rest.isEmpty { return local(parts) }
        guard let offset = zone(rest) else { return nil }
        return Double(timegm(&parts)) - offset
    }

    private static func local(_ parts: tm) -> Double {
        var parts = parts
        parts.tm_isdst = -1
        return Double(mktime(&parts))
    }

    /// Seconds; at most ten years.
    private static func duration(_ text: String) -> Double? {
        var total = 0
        var number = 0
        var digits = 0
        var units = 0
        for character in text {
            if let digit = character.wholeNumberValue, character.isASCII, digits < 9 {
                number = number * 10 + digit
                digits += 1
                continue
            }
            guard digits > 0, let factor = ["s": 1, "m": 60, "h": 3600, "d": 86_400][character] else { return nil }
            total += number * factor
            (number, digits, units) = (0, 0, units + 1)
        }
        guard units > 0, digits == 0, total <= 3660 * 86_400 else { return nil }
        return Double(total)
    }

    private static func date(_ rest: inout Substring) -> (year: Int32, month: Int32, day: Int32)? {
        guard let year = number(&rest, digits: 4), year >= 1970, skip("-", &rest),
            let month = number(&rest, digits: 2), (1...12).contains(month), skip("-", &rest),
            let day = number(&rest, digits: 2), (1...31).contains(day)
        else { return nil }
        return (year, month, day)
    }

    private static func timeOfDay(_ rest: inout Substring) -> (hour: Int32, minute: Int32, second: Int32)? {
        guard let hour = number(&rest, digits: 2), hour < 24, skip(":", &rest),
            let minute = number(&rest, digits: 2), minute < 60
        else { return nil }
        guard skip(":", &rest) else { return (hour, minute, 0) }
        guard let second = number(&rest, digits: 2), second < 61 else { return nil }
        if skip(".", &rest) {
            guard rest.first?.isASCIIDigit == true else { return nil }
            rest = rest.drop { $0.isASCIIDigit }
        }
        return (hour, minute, second)
    }

    /// `Z`, `+01:00` or `-0530` in seconds east of UTC.
    private static func zone(_ text: Substring) -> Double? {
        if text == "Z" || text == "z" { return 0 }
        var rest = text
        guard let sign = rest.popFirst(), sign == "+" || sign == "-", let hours = number(&rest, digits: 2), hours < 24
        else { return nil }
        _ = skip(":", &rest)
        guard let minutes = number(&rest, digits: 2), minutes < 60, rest.isEmpty else { return nil }
        return Double(hours * 3600 + minutes * 60) * (sign == "-" ? -1 : 1)
    }

    private static func number(_ rest: inout Substring, digits: Int) -> Int32? {
        let text = rest.prefix(digits)
        guard text.count == digits, text.allSatisfy(\.isASCIIDigit) else { return nil }
        rest = rest.dropFirst(digits)
        return Int32(text)
    }

    private static func skip(_ character: Character, _ rest: inout Substring) -> Bool {
        guard rest.first == character else { return false }
        rest.removeFirst()
        return true
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { isASCII && isNumber }
}
