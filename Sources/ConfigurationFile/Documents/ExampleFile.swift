/// `wsd.example.yaml`: every key with its documentation, commented out at its default.
package enum ExampleFile {
    private static let width = 110

    /// The whole file, with a line break at its end. It loads as it is, and changes nothing.
    package static func text() -> String {
        let schema = ConfigurationSchema.current
        var lines = header
        for key in schema.keys(in: "") { lines += block(key, indent: "") }
        for section in schema.sections {
            let indent = String(repeating: "  ", count: section.depth)
            let keys = schema.keys(in: section.name)
            var documentation = section.documentation
            if let like = section.like { documentation += " Its keys are explained with \(like)." }
            lines += [""] + wrapped(documentation, width: width - indent.count).map { "\(indent)# \($0)" }
            lines.append("\(indent)\(section.leaf):")
            if section.like != nil {
                lines += keys.map { "\(indent)  #\($0.leaf): \(shownDefault($0))" }
            } else {
                lines += keys.flatMap { block($0, indent: indent + "  ") }.dropFirst()
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static let header = """
        # Configuration of wsd. Copy it to wsd.yaml and uncomment what you change; every value below is the default.
        # Generated from the program: wsd --print-example-config
        #
        # wsd reads the file that --config or WSD_CONFIG names, else the first of ./wsd.yaml,
        # $XDG_CONFIG_HOME/wsd/wsd.yaml (~/.config/wsd/wsd.yaml) and /etc/wsd/wsd.yaml.
        # Flags are stronger than variables, variables than this file. `wsd --check-config` checks it.
        #
        # Times need a unit: 500ms, 10s, 5m, 1h, 1m30s.
        # Sizes are bytes, or 64KiB, 1MiB, 2GiB (also 64K, 1M, 2G: powers of 1024).
        # A list may be written [a, b], one entry a line after `- `, or as its only entry.
        # Rates are 10/s burst 20, 600/m or 30/h; without a burst it is what comes back in two seconds.
        """.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)

    private static func block(_ key: SchemaKey, indent: String) -> [String] {
        var notes = "Values: \(key.allowed). Variable: \(key.variable)"
        if !key.flags.isEmpty { notes += ", flag: \(key.flags.joined(separator: ", "))" }
        notes += "."
        let later = key.reloadable ? [] : ["A reload does not change it: restart wsd."]
        var comment = ([key.documentation, notes] + later).flatMap { wrapped($0, width: width - indent.utf8.count) }
        // A default that depends on another key is told in words, and shown for dev.
        if isSentence(key) { comment.append("Default: \(key.defaultText).") }
        if let entries = key.entries {
            comment.append("For example:")
            comment.append("  \(key.leaf):")
            comment += entries.example.split(separator: "\n").map { "    \($0)" }
        }
        return [""] + comment.map { "\(indent)# \($0)" } + ["\(indent)#\(key.leaf): \(shownDefault(key))"]
    }

    private static func isSentence(_ key: SchemaKey) -> Bool { key.defaultText.contains(" in dev") }

    private static func shownDefault(_ key: SchemaKey) -> String {
        isSentence(key) ? String(key.defaultText.prefix { $0 != "]" }) + "]" : key.defaultText
    }

    private static func wrapped(_ text: String, width: Int) -> [String] {
        text.split(separator: " ").reduce(into: []) { lines, word in
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
    }
}
