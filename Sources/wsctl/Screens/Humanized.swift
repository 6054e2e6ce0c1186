/// Numbers as people read them.
enum Humanized {
    /// `1,234,567`.
    static func count(_ value: Int) -> String {
        let digits = Array(String(value.magnitude))
        var text = value < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text
    }

    /// At most five characters: `0`, `0.4`, `12`, `9999`, `12.3k`, `4.5M`.
    static func rate(_ value: Double) -> String {
        guard value.isFinite, value > 0 else { return "0" }
        if value < 0.05 { return "<0.1" }
        if value < 9.95 { return fixed(value, value == value.rounded() ? 0 : 1) }
        if value < 9999.5 { return fixed(value, 0) }
        return scaled(value, step: 1000, units: ["", "k", "M", "G", "T"])
    }

    /// `0 B`, `980 B`, `9.8 MiB`: factors of 1024.
    static func bytes(_ value: Int) -> String {
        let value = Double(max(0, value))
        guard value >= 1024 else { return "\(Int(value)) B" }
        return scaled(value, step: 1024, units: ["", " KiB", " MiB", " GiB", " TiB", " PiB"])
    }

    /// The same for narrow columns: `980B`, `9.8M`.
    static func bytesBriefly(_ value: Int) -> String {
        let value = Double(max(0, value))
        guard value >= 1024 else { return "\(Int(value))B" }
        return scaled(value, step: 1024, units: ["", "K", "M", "G", "T", "P"])
    }

    /// A mean size for narrow columns.
    static func sizeBriefly(_ value: Double) -> String {
        guard value.isFinite else { return "-" }
        return bytesBriefly(Int(max(0, min(value, 1e15)).rounded()))
    }

    /// A short time: `0.4 ms`, `12 ms`, `1.5 s`.
    static func latency(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds > 0 else { return "0 ms" }
        if seconds < 0.00995 { return seconds < 0.00005 ? "<0.1 ms" : fixed(seconds * 1000, 1) + " ms" }
        return duration(seconds)
    }

    /// The two largest units: `15 ms`, `0.4 s`, `42 s`, `3 min 12 s`, `4 h 3 min`, `12 d 4 h`.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds > 0 else { return "0 s" }
        if seconds < 0.0995 { return fixed(seconds * 1000, 0) + " ms" }
        if seconds < 9.95 { return fixed(seconds, 1) + " s" }
        let (large, largeUnit, small, smallUnit) = parts(of: seconds)
        let names = ["s": "s", "m": "min", "h": "h", "d": "d"]
        let first = "\(large) \(names[largeUnit] ?? largeUnit)"
        guard small > 0, let unit = smallUnit else { return first }
        return "\(first) \(small) \(names[unit] ?? unit)"
    }

    /// `in 3.2 s`, `at once`: when something begins.
    static func wait(_ seconds: Double) -> String { seconds < 0.05 ? "at once" : "in \(duration(seconds))" }

    /// The same for narrow columns: `0.4s`, `42s`, `3m12s`, `4h03m`, `12d04h`.
    static func durationBriefly(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds > 0 else { return "0s" }
        if seconds < 9.95 { return fixed(seconds, 1) + "s" }
        let (large, largeUnit, small, smallUnit) = parts(of: seconds)
        guard let unit = smallUnit else { return "\(large)\(largeUnit)" }
        return "\(large)\(largeUnit)\(small < 10 ? "0" : "")\(small)\(unit)"
    }

    /// `1 client`, `2 clients`.
    static func counted(_ value: Int, _ singular: String, _ plural: String? = nil) -> String {
        "\(count(value)) \(value == 1 ? singular : plural ?? singular + "s")"
    }

    /// A decimal number with so many places, rounded half up.
    static func fixed(_ value: Double, _ places: Int) -> String {
        guard value.isFinite, value.magnitude < 1e15 else { return value > 0 ? "huge" : "-" }
        var factor = 1.0
        for _ in 0..<places { factor *= 10 }
        let rounded = Int((value.magnitude * factor).rounded())
        let (whole, fraction) = rounded.quotientAndRemainder(dividingBy: Int(factor))
        let sign = value < 0 && rounded > 0 ? "-" : ""
        guard places > 0 else { return "\(sign)\(whole)" }
        let digits = String(fraction)
        return "\(sign)\(whole).\(String(repeating: "0", count: places - digits.count))\(digits)"
    }

    private static func scaled(_ value: Double, step: Double, units: [String]) -> String {
        var value = value
        var unit = 0
        while value >= step * 0.9995, unit + 1 < units.count {
            value /= step
            unit += 1
        }
        return fixed(value, value < 99.95 ? 1 : 0) + units[unit]
    }

    private static func parts(of seconds: Double) -> (Int, String, Int, String?) {
        let whole = Int(min(seconds.rounded(), 1e12))
        if whole < 60 { return (whole, "s", 0, nil) }
        if whole < 3600 { return (whole / 60, "m", whole % 60, "s") }
        if whole < 86_400 { return (whole / 3600, "h", whole / 60 % 60, "m") }
        return (whole / 86_400, "d", whole / 3600 % 24, "h")
    }
}
