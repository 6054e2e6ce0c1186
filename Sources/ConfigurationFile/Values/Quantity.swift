import Model

/// Numbers with units: `1.5s`, `1m30s`, `64KiB`. All arithmetic is exact and checked for overflow.
enum Quantity {
    struct Unit: Sendable {
        var name: String
        /// In the base unit.
        var factor: Int
    }

    /// Milliseconds; largest first.
    static let times = [
        Unit(name: "h", factor: 3_600_000), Unit(name: "m", factor: 60_000), Unit(name: "s", factor: 1000),
        Unit(name: "ms", factor: 1),
    ]
    /// Bytes; largest first.
    static let sizes = [
        Unit(name: "TiB", factor: 1 << 40), Unit(name: "GiB", factor: 1 << 30), Unit(name: "MiB", factor: 1 << 20),
        Unit(name: "KiB", factor: 1 << 10), Unit(name: "", factor: 1),
    ]

    /// Reads one or more `<number><unit>` with falling units; `nil` unless the sum is a whole, representable number.
    static func parse(_ text: String, unit: (Substring) -> Int?) -> Int? {
        var rest = text[...]
        var total = 0
        var previous = Int.max
        repeat {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(number.count)
            let name = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(name.count)
            guard let factor = unit(name), factor < previous, let amount = multiply(number, by: factor) else {
                return nil
            }
            let (sum, overflow) = total.addingReportingOverflow(amount)
            if overflow { return nil }
            total = sum
            previous = factor
        } while !rest.isEmpty
        return total
    }

    /// The shortest exact text: the largest unit that leaves no remainder.
    static func text(_ amount: Int, units: [Unit]) -> String {
        guard amount != 0, let unit = units.first(where: { amount % $0.factor == 0 }) else { return String(amount) }
        return "\(amount / unit.factor)\(unit.name)"
    }

    /// Digits of a fraction that are read; a longer one is refused.
    private static let fractionDigitsMax = 6

    private static func multiply(_ number: Substring, by factor: Int) -> Int? {
        let parts = number.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, first.isDecimal, let whole = Int(first) else { return nil }
        let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
        if overflow { return nil }
        guard parts.count == 2 else { return product }
        guard parts[1].isDecimal, parts[1].count <= fractionDigitsMax, let fraction = Int(parts[1]) else { return nil }
        let scale = (0..<parts[1].count).reduce(1) { power, _ in power * 10 }
        // A fraction below 10^6 and a factor of at most 2^40 stay far below 2^63.
        let scaled = fraction * factor
        guard scaled % scale == 0 else { return nil }
        let (sum, sumOverflow) = product.addingReportingOverflow(scaled / scale)
        return sumOverflow ? nil : sum
    }
}

extension ValueFormat<Duration> {
    /// A time in `ms`, `s`, `m` or `h`, whole milliseconds. A bare number other than 0 is refused: half of its readers would
    /// take it for seconds, the other half for milliseconds.
    ///
    /// - Parameter zero: What 0 means where it is allowed outside the range.
    static func duration(_ range: ClosedRange<Duration>, zero: String? = nil) -> Self {
        let text: @Sendable (Duration) -> String = { Quantity.text(Int($0.milliseconds), units: Quantity.times) }
        let bounds = "a time from \(text(range.lowerBound)) to \(text(range.upperBound))"
        return ValueFormat(
            allowed: bounds + (zero.map { ", or 0 (\($0))" } ?? ""),
            parse: { (written, _) throws(InvalidValue) in
                if written.isDecimal, written.contains(where: { $0 != "0" }) {
                    throw InvalidValue(hint: "it needs a unit: \(written)s or \(written)ms")
                }
                let amount =
                    written.isDecimal
                    ? 0 : Quantity.parse(written) { name in Quantity.times.first { $0.name == name }?.factor }
                guard let amount else { throw InvalidValue(hint: "times are written like 500ms, 10s, 5m, 1h or 1m30s") }
                let value = Duration.milliseconds(amount)
                guard range.contains(value) || (zero != nil && amount == 0) else { throw InvalidValue() }
                return value
            },
            text: text
        )
    }
}

extension ValueFormat<Int> {
    /// A number of bytes, plain or in `KiB`, `MiB`, `GiB`, `TiB` (also `K`, `M`, `G`, `T`).
    ///
    /// - Parameter zero: What 0 means where it is allowed outside the range.
    static func size(_ range: ClosedRange<Int>, zero: String? = nil) -> Self {
        let text: @Sendable (Int) -> String = { Quantity.text($0, units: Quantity.sizes) }
        let bounds = "a size from \(text(range.lowerBound)) to \(text(range.upperBound))"
        return ValueFormat(
            allowed: bounds + (zero.map { ", or 0 (\($0))" } ?? ""),
            parse: { (written, _) throws(InvalidValue) in
                guard let value = Quantity.parse(written, unit: sizeFactor) else {
                    throw InvalidValue(
                        hint: decimalUnitHint(written) ?? "sizes are written like 4096, 64KiB, 1MiB or 2G")
                }
                guard range.contains(value) || (zero != nil && value == 0) else { throw InvalidValue() }
                return value
            },
            text: text
        )
    }

    static func sizeFactor(_ name: Substring) -> Int? {
        let lowered = name.lowercased()
        return Quantity.sizes.first { unit in
            let full = unit.name.lowercased()
            return lowered == full || (!full.isEmpty && lowered == full.prefix(1))
        }?.factor
    }

    /// `64MB` is 64,000,000 to some and 67,108,864 to others.
    private static func decimalUnitHint(_ written: String) -> String? {
        guard written.lowercased().hasSuffix("b") else { return nil }
        let binary = written.dropLast() + "iB"
        guard Quantity.parse(String(binary), unit: sizeFactor) != nil else { return nil }
        return "did you mean \(written.dropLast().uppercased())iB?"
    }
}
