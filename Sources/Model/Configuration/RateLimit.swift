/// A token bucket. Written `10/s burst 20`, `600/m burst 50`, or `off`.
package struct RateLimit: Hashable, Sendable, Codable {
    /// Tokens that come back each second; above 0, at most 1,000,000.
    package var perSecond: Double
    /// Tokens that may be saved up; 1…1,000,000.
    package var burst: Int
    /// No limit at all (a rule that lifts another).
    package var isOff = false

    package init(perSecond: Double, burst: Int) {
        self.perSecond = perSecond
        self.burst = burst
    }

    package static let off: RateLimit = {
        var limit = RateLimit(perSecond: 1, burst: 1)
        limit.isOff = true
        return limit
    }()
}

extension RateLimit: CustomStringConvertible {
    /// Most tokens a second, and most that may be saved up.
    package static let highest = 1_000_000

    private static let units: [(name: String, seconds: Int)] = [("s", 1), ("m", 60), ("h", 3600)]

    /// Reads a text form: `10/s burst 20`, `600/m`, `30/h`, `off`. A burst that is left out is what comes back in two seconds,
    /// at least 1. `nil`: none of these, or out of bounds.
    package init?(_ text: String) {
        if text == "off" {
            self = .off
            return
        }
        let words = text.split(separator: " ")
        guard words.count == 1 || (words.count == 3 && words[1] == "burst") else { return nil }
        let parts = words[0].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard
            parts.count == 2, let unit = Self.units.first(where: { $0.name == parts[1] }),
            let amount = Self.whole(parts[0]), amount <= Self.highest * unit.seconds
        else { return nil }
        let perSecond = Double(amount) / Double(unit.seconds)
        let implied = min(Int((perSecond * 2).rounded(.up)), Self.highest)
        guard let burst = words.count == 3 ? Self.whole(words[2]) : implied, burst <= Self.highest else { return nil }
        self.init(perSecond: perSecond, burst: burst)
    }

    /// Digits alone, above 0.
    private static func whole(_ text: Substring) -> Int? {
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return Int(text).flatMap { $0 > 0 ? $0 : nil }
    }

    /// The text form, in the shortest unit in which it is a whole number.
    package var description: String {
        if isOff { return "off" }
        for unit in Self.units {
            let amount = (perSecond * Double(unit.seconds)).rounded()
            if amount >= 1, amount <= Double(Self.highest * unit.seconds), amount / Double(unit.seconds) == perSecond {
                return "\(Int(amount))/\(unit.name) burst \(burst)"
            }
        }
        return "\(perSecond)/s burst \(burst)"
    }
}
