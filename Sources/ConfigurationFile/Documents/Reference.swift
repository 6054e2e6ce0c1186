/// `docs/configuration.md`: the reference of all keys, variables and flags.
package enum Reference {
    /// The whole page, with a line break at its end.
    package static func text() -> String {
        let schema = ConfigurationSchema.current
        var parts = [introduction, reloadNote, "## Keys", table(schema.keys(in: ""))]
        parts += schema.keys(in: "").compactMap(entryPart)
        for section in schema.sections {
            let keys = schema.keys(in: section.name)
            if let like = section.like {
                parts += ["### \(section.name)", "\(section.documentation) Its keys mean what they mean in `\(like)`."]
                let rows = keys.map(cells).map { $0.prefix(1) + $0.dropFirst(3) }.map(Array.init)
                parts.append(table(["Key", "Default", "Reload", "Variable, flag"], rows))
            } else {
                parts += ["### \(section.name)", section.documentation, table(keys)]
            }
            parts += keys.compactMap(entryPart)
        }
        parts += ["## What must fit together", schema.rules.map { "- \($0.documentation)" }.joined(separator: "\n")]
        return parts.joined(separator: "\n\n") + "\n"
    }

    /// What stands in the entries of a list of mappings.
    private static func entryPart(_ key: SchemaKey) -> String? {
        guard let entries = key.entries else { return nil }
        let rows = entries.fields.map { field in
            let unsaid =
                field.unset ?? (field.defaultText == "\"\"" ? "as in `rooms.defaults`" : "`\(field.defaultText)`")
            return [
                "`\(field.leaf)`", prose(field.documentation), prose(field.allowed),
                field.isRequired ? "must be there" : unsaid,
            ]
        }
        let example = key.name.split(separator: ".").enumerated().map { String(repeating: "  ", count: $0) + "\($1):" }
        let indent = String(repeating: "  ", count: example.count)
        let lines = example + entries.example.split(separator: "\n").map { indent + $0 }
        return """
            An entry of `\(key.name)` has these keys:

            \(table(["Key", "Meaning", "Values", "Default"], rows))

            ```yaml
            \(lines.joined(separator: "\n"))
            ```
            """
    }

    private static func table(_ keys: [SchemaKey]) -> String {
        table(["Key", "Meaning", "Values", "Default", "Reload", "Variable, flag"], keys.map(cells))
    }

    private static func table(_ head: [String], _ rows: [[String]]) -> String {
        let rule = "|" + String(repeating: "---|", count: head.count)
        let lines = rows.map { "| \($0.map(escaped).joined(separator: " | ")) |" }
        return (["| \(head.joined(separator: " | ")) |", rule] + lines).joined(separator: "\n")
    }

    private static func cells(_ key: SchemaKey) -> [String] {
        let flags = key.flags.map { ", `\($0)`" }.joined()
        return [
            "`\(key.name)`", prose(key.documentation), prose(key.allowed), defaultCell(key),
            key.reloadable ? "yes" : "**no**",
            "`\(key.variable)`\(flags)",
        ]
    }

    private static func defaultCell(_ key: SchemaKey) -> String {
        // Words stand between codes only where the default depends on another key.
        guard key.defaultText.contains(" in dev") else { return "`\(key.defaultText)`" }
        return key.defaultText.split(separator: ", ").map { part in
            let words = part.split(separator: " ", maxSplits: 1)
            return words.count == 2 ? "`\(words[0])` \(words[1])" : String(part)
        }.joined(separator: ", ")
    }

    private static func escaped(_ text: String) -> String { replaced("|", in: text) }

    /// Words in which `*` is only itself.
    private static func prose(_ text: String) -> String { replaced("*", in: text) }

    private static func replaced(_ sign: Character, in text: String) -> String {
        text.split(separator: sign, omittingEmptySubsequences: false).joined(separator: "\\\(sign)")
    }

    /// Markdown: how the configuration is found and how values are written.
    static let introduction = """
        # Configuration

        Generated from the program (`wsd --print-config-reference`); change it there.

        wsd runs without any configuration. What you want otherwise goes into `wsd.yaml`, into variables of the environment or
        into flags. `wsd --print-example-config` prints a file with every key (it is also in the repository,
        [wsd.example.yaml](../wsd.example.yaml)); `wsd --check-config` checks without starting, also what the configuration names:
        the files of keys and secrets are read, and whether the history's folder could be made and written (it leaves nothing
        behind; run it as the user wsd runs as); `wsctl config` shows what is in force and where each value came from.

        ## Which value wins

        From strongest to weakest:

        1. Flags: `--port`, `--workers`, …; `--set key=value` for any key.
        2. The variable of the key, named below. `WSD_HOST` and `WSD_PORT` name an address to listen on. An empty variable
           counts as not set.
        3. `PORT`, else `WEBSOCKET_PORT`, as platforms set them.
        4. The file: the one that `--config` or `WSD_CONFIG` names, else the first of `./wsd.yaml`,
           `$XDG_CONFIG_HOME/wsd/wsd.yaml` (`~/.config/wsd/wsd.yaml`), `/etc/wsd/wsd.yaml`. `--config /dev/null` reads none.
        5. The defaults.

        Addresses are put together thus: whatever is stronger replaces the whole list of what is weaker. A host or a port alone
        takes the other half from the first TCP address of the list it replaces. `PORT` set by a platform means that port on all
        addresses, in dev too; add `WSD_HOST=127.0.0.1` for one address. `--listen` with `--host` or `--port`, and `WSD_LISTEN`
        with `WSD_HOST` or `WSD_PORT`, exclude each other.

        ## How values are written

        - **Times** need a unit: `500ms`, `10s`, `5m`, `1h`, `1.5s`, `1m30s`. Only 0 may stand alone, because half of us take
          `30` for seconds and the other half for milliseconds. Whole milliseconds are the finest.
        - **Sizes** are bytes (`4096`), or `64KiB`, `1MiB`, `2GiB`, `1TiB`; `64K`, `1M`, `2G`, `1T` mean the same, powers of 1024.
          `64MB` is refused: it means two things.
        - **true or false** may also be written yes/no, on/off, 1/0.
        - **Lists**: `[a, b]`, or one entry a line after `- `; a list of one may be written without either. In variables and flags
          commas separate the entries, and `none` is the empty list.
        - **Lists of sections** (`rooms.rules`, `api.keys`, `routes`): one entry after each `- `, with its keys below one another. In
          variables and flags they are written as YAML in one line: `WSD_ROOMS_RULES='[{match: "news:*", publish: nobody}]'`.
        - **Rates**: `10/s burst 20` lets 20 through at once and then 10 a second; also `600/m`, `30/h`. Without a burst it is
          what comes back in two seconds, at least 1. `off`: no limit.
        - **Relative paths** start at the folder of `wsd.yaml`; in variables and flags at the working folder.
        - In YAML, text that begins with `*`, `&`, `[`, `{`, `!`, `%`, `@` or that holds `: ` or ` #` must be in quotes. Anchors, aliases
          and tags are not used.

        Files with secrets and keys are named, never written into `wsd.yaml`. They must be there and readable for the service's user
        when the configuration is loaded; a secret that everybody on the machine can read is warned about. Keys of the API stand in
        `wsd.yaml` as hashes: `wsctl key new` makes them.

        Everything is checked before anything starts: an unknown key, a wrong value, a key that stands twice and values that do not
        fit together are all reported at once, with file, line and column, and wsd exits with 78. A wrong file on a reload leaves
        the running service as it is. The file is UTF-8, at most 1 MiB.
        """

    private static let reloadNote = """
        **Reload** says whether `wsctl reload` (or SIGHUP) can change the key. A reload that finds another value for one of the
        others says so, and goes on with the old value.
        """
}
