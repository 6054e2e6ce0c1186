import HummingbirdCore
import Model

/// The query of a control request, read strictly: an unknown or repeated name, or a value of the wrong kind, is refused with
/// a sentence rather than ignored.
struct QueryParameters {
    private let values: [String: String]

    /// - Parameter names: those that the call knows.
    init(_ uri: URI, names: Set<String>) throws(ControlFailure) {
        var values: [String: String] = [:]
        for (key, value) in uri.queryParameters {
            guard names.contains(String(key)) else {
                let known = names.isEmpty ? "It takes none." : "It takes \(names.sorted().joined(separator: ", "))."
                throw .badRequest("This call has no parameter “\(key)”. \(known)")
            }
            guard values.updateValue(String(value), forKey: String(key)) == nil else {
                throw .badRequest("The parameter “\(key)” is given twice.")
            }
        }
        self.values = values
    }

    /// `nil` when missing or empty.
    func text(_ name: String) -> String? {
        values[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    func integer(_ name: String, in range: ClosedRange<Int>) throws(ControlFailure) -> Int? {
        guard let text = text(name) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw .badRequest(
                "“\(name)” must be a whole number from \(range.lowerBound) to \(range.upperBound), not “\(text)”.")
        }
        return value
    }

    /// Whole seconds: `5`, `5s` or `1m`.
    func seconds(_ name: String, in range: ClosedRange<Int>) throws(ControlFailure) -> Int? {
        guard let text = text(name) else { return nil }
        let unit = text.hasSuffix("m") ? 60 : 1
        let digits = text.hasSuffix("m") || text.hasSuffix("s") ? String(text.dropLast()) : text
        // Neither bound may be left on the way: a product may overflow.
        guard let (seconds, isTooMuch) = Int(digits)?.multipliedReportingOverflow(by: unit), !isTooMuch,
            range.contains(seconds)
        else {
            throw .badRequest(
                "“\(name)” must be a time from \(range.lowerBound)s to \(range.upperBound)s, not “\(text)”.")
        }
        return seconds
    }

    /// `1`, `true` or the bare name; `0` or `false`.
    func flag(_ name: String) throws(ControlFailure) -> Bool {
        guard let value = values[name] else { return false }
        switch value {
        case "", "1", "true": return true
        case "0", "false": return false
        default: throw .badRequest("“\(name)” must be 1 or 0, not “\(value)”.")
        }
    }

    func level(_ name: String) throws(ControlFailure) -> LogLevel? {
        guard let text = text(name) else { return nil }
        guard let level = LogLevel(rawValue: text) else {
            let known = LogLevel.allCases.map(\.rawValue).joined(separator: ", ")
            throw .badRequest("“\(name)” must be one of \(known), not “\(text)”.")
        }
        return level
    }

    /// Seconds since 1970, or a time ago (`90s`, `10m`, `2h`, `1d`).
    func time(_ name: String, now: Double) throws(ControlFailure) -> Double? {
        guard let text = text(name) else { return nil }
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        if let unit = text.last.flatMap({ units[$0] }), let count = Double(text.dropLast()), count.isFinite, count >= 0
        {
            return now - count * unit
        }
        guard let seconds = Double(text), seconds.isFinite else {
            throw .badRequest(
                "“\(name)” must be seconds since 1970 or a time ago like 90s, 10m, 2h or 1d, not “\(text)”.")
        }
        return seconds
    }
}
