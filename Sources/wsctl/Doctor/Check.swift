/// One thing the doctor looked at.
struct Check: Equatable, Codable {
    enum Verdict: String, Codable {
        case ok
        /// Worth knowing; the exit status stays 0.
        case note
        case problem
    }

    var verdict: Verdict
    /// A sentence: what was found.
    var finding: String
    /// What to do.
    var advice: String?
    /// Lines that bear it out, say from the log.
    var evidence: [String] = []

    static func ok(_ finding: String) -> Self { Self(verdict: .ok, finding: finding) }

    static func note(_ finding: String, _ advice: String? = nil) -> Self {
        Self(verdict: .note, finding: finding, advice: advice)
    }

    static func problem(_ finding: String, _ advice: String? = nil, evidence: [String] = []) -> Self {
        Self(verdict: .problem, finding: finding, advice: advice, evidence: evidence)
    }
}

/// `wsctl doctor`.
enum DoctorScreen {
    static func lines(_ checks: [Check], _ style: Style) -> [String] {
        var lines = checks.flatMap { block($0, style) }
        let problems = checks.filter { $0.verdict == .problem }.count
        lines.append("")
        lines.append(
            problems == 0
                ? style.paint("No problem found.", .green)
                : style.paint("\(Humanized.counted(problems, "problem")) found.", .boldRed))
        return lines
    }

    private static func block(_ check: Check, _ style: Style) -> [String] {
        let (label, colour): (String, Style.Colour) =
            switch check.verdict {
            case .ok: ("ok       ", .green)
            case .note: ("note     ", .yellow)
            case .problem: ("PROBLEM  ", .boldRed)
            }
        let indent = String(repeating: " ", count: label.count)
        var lines = PlainText.wrapped(PlainText.harmless(check.finding), to: style.width - label.count)
            .enumerated().map { ($0 == 0 ? style.paint(label, colour) : indent) + $1 }
        for line in check.evidence {
            lines.append(indent + style.paint("| " + PlainText.cut(line, to: style.width - label.count - 2), .faint))
        }
        if let advice = check.advice {
            lines += PlainText.wrapped(PlainText.harmless(advice), to: style.width - label.count - 3)
                .enumerated().map { indent + ($0 == 0 ? "-> " : "   ") + $1 }
        }
        return lines
    }
}
