import Ecosystem

/// What became of a file of PM2.
enum ImportScreen {
    /// A table for the file and for each program; under a row what is to be said about it.
    static func lines(_ result: EcosystemImport, _ style: Style) -> [String] {
        var lines = result.remarks.isEmpty ? [] : [style.paint("The file", .bold)] + table(result.remarks, style) + [""]
        for program in result.programs {
            let command = PlainText.harmless(program.command)
            let head =
                style.paint(program.name, .bold) + "  "
                + PlainText.cut(command, to: max(8, style.width - 2 - program.name.count))
            lines += [head] + table(program.remarks, style) + [""]
        }
        return lines + [summary(result)]
    }

    static func summary(_ result: EcosystemImport) -> String {
        let all = result.remarks + result.programs.flatMap(\.remarks)
        let tasks = all.count { $0.verdict == .toDo }
        let programs = Humanized.counted(result.programs.count, "program")
        return tasks == 0
            ? "\(programs). Nothing is left to do."
            : "\(programs). \(Humanized.counted(tasks, "thing")) left to do, see above."
    }

    private static func table(_ remarks: [ImportRemark], _ style: Style) -> [String] {
        let order: [ImportRemark.Verdict] = [.toDo, .differs, .taken, .notNeeded]
        let sorted = order.flatMap { verdict in remarks.filter { $0.verdict == verdict } }
        guard !sorted.isEmpty else { return [] }
        var table = Table([("", .left), ("SETTING", .left), ("HERE", .left)])
        for remark in sorted {
            let setting = remark.value.isEmpty ? remark.setting : "\(remark.setting): \(remark.value)"
            table.add([
                Table.Cell(remark.verdict.word, colour(remark.verdict)),
                Table.Cell(PlainText.cut(setting, to: settingWidth)),
                Table.Cell(remark.becomes.isEmpty ? "-" : remark.becomes),
            ])
        }
        let rows = table.lines(style)
        return [rows[0]]
            + zip(sorted, rows.dropFirst()).flatMap { remark, row in
                [row]
                    + PlainText.wrapped(PlainText.harmless(remark.text), to: style.width - indent).map {
                        String(repeating: " ", count: indent) + style.paint($0, .faint)
                    }
            }
    }

    /// Columns of a setting with its value.
    private static let settingWidth = 36
    /// Under the settings: `not needed` and two spaces.
    private static let indent = 12

    private static func colour(_ verdict: ImportRemark.Verdict) -> Style.Colour {
        switch verdict {
        case .taken: .green
        case .differs: .yellow
        case .notNeeded: .faint
        case .toDo: .boldRed
        }
    }
}
