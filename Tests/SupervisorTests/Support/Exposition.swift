/// A strict reader of Prometheus' text format 0.0.4: what a scraper may refuse is an error here.
struct Exposition {
    struct Failure: Error {
        var what: String
    }

    struct Sample: Equatable {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    struct Family {
        var kind: String
        var help: String
        var samples: [Sample] = []
    }

    private(set) var families: [String: Family] = [:]

    init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Failure(what: "no line end at the end") }
        var pendingHelp: (name: String, help: String)?
        var current: String?
        var series: Set<String> = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if line.hasPrefix("# HELP ") {
                let parts = line.dropFirst(7).split(separator: " ", maxSplits: 1)
                guard parts.count == 2, pendingHelp == nil else { throw Failure(what: "HELP: \(line)") }
                pendingHelp = (String(parts[0]), String(parts[1]))
            } else if line.hasPrefix("# TYPE ") {
                let parts = line.split(separator: " ")
                guard parts.count == 4, let help = pendingHelp, help.name == parts[2], families[help.name] == nil,
                    ["counter", "gauge", "histogram", "summary"].contains(parts[3]), Self.isName(help.name)
                else { throw Failure(what: "TYPE: \(line)") }
                families[help.name] = Family(kind: String(parts[3]), help: help.help)
                (current, pendingHelp) = (help.name, nil)
            } else {
                guard let family = current, pendingHelp == nil else { throw Failure(what: "no family: \(line)") }
                let sample = try Self.sample(line)
                guard Self.belongs(sample, to: family, families[family]?.kind ?? "") else {
                    throw Failure(what: "not of \(family): \(line)")
                }
                let key = sample.name + sample.labels.sorted { $0.key < $1.key }.description
                guard series.insert(key).inserted else { throw Failure(what: "twice: \(line)") }
                families[family]?.samples.append(sample)
            }
        }
        for (name, family) in families { try Self.check(name, family) }
    }

    /// Names as a query has them: a histogram's and a summary's series apart.
    var names: Set<String> {
        families.reduce(into: []) { names, family in
            switch family.value.kind {
            case "histogram": for end in ["_bucket", "_sum", "_count"] { names.insert(family.key + end) }
            case "summary": for end in ["_sum", "_count"] { names.insert(family.key + end) }
            default: names.insert(family.key)
            }
        }
    }

    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        families.values.lazy.flatMap(\.samples).first { $0.name == name && $0.labels == labels }?.value
    }

    private static func belongs(_ sample: Sample, to family: String, _ kind: String) -> Bool {
        switch kind {
        case "histogram":
            sample.name == family + "_bucket" && sample.labels["le"] != nil
                || [family + "_sum", family + "_count"].contains(sample.name) && sample.labels["le"] == nil
        case "summary": [family + "_sum", family + "_count"].contains(sample.name)
        default: sample.name == family
        }
    }

    /// The conventions for names, and what makes a histogram one.
    private static func check(_ name: String, _ family: Family) throws {
        guard (family.kind == "counter") == name.hasSuffix("_total"), name.hasPrefix("wsd_"), family.help.hasSuffix(".")
        else { throw Failure(what: "name or help of \(name)") }
        for unit in ["milli", "micro", "_ms", "kilobytes", "percent"] where name.contains(unit) {
            throw Failure(what: "\(name) has no base unit")
        }
        guard family.samples.allSatisfy({ family.kind == "gauge" || $0.value >= 0 }) else {
            throw Failure(what: "\(name) is negative")
        }
        guard family.kind == "histogram" else { return }
        var counts: [[String: String]: [(bound: Double, count: Double)]] = [:]
        for sample in family.samples where sample.name.hasSuffix("_bucket") {
            var labels = sample.labels
            let text = labels.removeValue(forKey: "le") ?? ""
            guard let bound = text == "+Inf" ? .infinity : Double(text) else { throw Failure(what: "le=\(text)") }
            counts[labels, default: []].append((bound, sample.value))
        }
        for (labels, buckets) in counts {
            let total = family.samples.first { $0.name == name + "_count" && $0.labels == labels }?.value
            let isRising = zip(buckets, buckets.dropFirst()).allSatisfy { $0.bound < $1.bound && $0.count <= $1.count }
            guard isRising, buckets.last?.bound == .infinity, buckets.last?.count == total else {
                throw Failure(what: "the buckets of \(name)")
            }
        }
    }

    private static func sample(_ line: Substring) throws -> Sample {
        let name = line.prefix { $0 != "{" && $0 != " " }
        var rest = line.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            repeat {
                let label = rest.prefix { $0 != "=" }
                rest = rest.dropFirst(label.count)
                guard isName(String(label)), !label.contains(":"), rest.hasPrefix("=\"") else {
                    throw Failure(what: "label: \(line)")
                }
                rest = rest.dropFirst(2)
                guard labels.updateValue(try text(&rest), forKey: String(label)) == nil else {
                    throw Failure(what: "label twice: \(line)")
                }
                guard let next = rest.popFirst(), next == "," || next == "}" else { throw Failure(what: "\(line)") }
                if next == "}" { break }
            } while true
        }
        guard isName(String(name)), rest.first == " ", let value = number(rest.dropFirst()) else {
            throw Failure(what: "sample: \(line)")
        }
        return Sample(name: String(name), labels: labels, value: value)
    }

    /// The value of a label up to its quotation mark.
    private static func text(_ rest: inout Substring) throws -> String {
        var text = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return text
            case "\\":
                guard let escaped = rest.popFirst(), let plain = ["\\": "\\", "\"": "\"", "n": "\n"][escaped] else {
                    throw Failure(what: "escape in \(text)")
                }
                text += plain
            default: text.append(character)
            }
        }
        throw Failure(what: "unended label \(text)")
    }

    private static func number(_ text: Substring) -> Double? {
        text == "+Inf" ? .infinity : text.contains(" ") ? nil : Double(text)
    }

    private static func isName(_ text: String) -> Bool {
        text.first.map { !$0.isNumber } ?? false
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") }
    }
}
