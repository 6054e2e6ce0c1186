import Model

// Values of programs that the supervisor keeps.

extension ValueFormat<String> {
    static let programName = ValueFormat(
        allowed: "a name of 1 to 64 letters, digits, dots, _ or -, beginning with a letter or digit",
        parse: { (text, _) throws(InvalidValue) in
            guard !ProgramConfiguration.isName(text) else { return text }
            if ProgramConfiguration.reservedNames.contains(text.lowercased()) {
                throw InvalidValue(hint: "\(text) means something else where a program is named")
            }
            throw InvalidValue(hint: text.isDecimal ? "digits alone are a program's number" : nil)
        },
        text: { $0 }
    )

    /// A word of a command.
    static let argument = ValueFormat(
        allowed: "texts",
        parse: { (text, _) throws(InvalidValue) in
            guard !text.utf8.contains(0) else { throw InvalidValue(hint: "it holds a NUL") }
            // MAX_ARG_STRLEN of execve(2) on pages of 4 KiB.
            guard text.utf8.count < 128 << 10 else { throw InvalidValue(hint: "128 KiB are too many") }
            return text
        },
        text: { $0 }
    )

    /// `NAME=value`. What is wrong is told without the value.
    static let variable = ValueFormat(
        allowed: "NAME: value for each variable, or a list of NAME=value",
        parse: { (text, context) throws(InvalidValue) in
            guard let equals = text.firstIndex(of: "=") else { throw InvalidValue(hint: "an entry has no =") }
            let name = text[..<equals]
            let shown = ShownText.quoted(String(name))
            guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw InvalidValue(hint: "\(shown) is no name of a variable")
            }
            guard !ownVariables.contains(String(name)) else { throw InvalidValue(hint: "wsd sets \(shown) itself") }
            do throws(InvalidValue) {
                return try argument.parse(text, context)
            } catch {
                throw InvalidValue(hint: "\(shown): \(error.hint ?? "")")
            }
        },
        text: { $0 }
    )

    /// sd_listen_fds(3), sd_notify(3), and what marks the processes of a program.
    private static let ownVariables: Set = [
        "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "NOTIFY_SOCKET", "WSD_INSTANCE",
    ]

    /// A path, made absolute; `.` is the folder that relative ones start from.
    static let programPath = ValueFormat(
        allowed: path().allowed,
        parse: { (text, context) throws(InvalidValue) in
            var text = text
            while text.count > 1, text.hasSuffix("/") { text.removeLast() }
            if text == "~" || text.hasPrefix("~/") { throw InvalidValue(hint: "~ is not known; write the whole path") }
            guard text == ".", !context.folder.isEmpty else { return try path(maxBytes: 4095).parse(text, context) }
            return context.folder
        },
        text: { $0 }
    )

    /// A path that a `-` may stand before.
    static let optionalPath = ValueFormat(
        allowed: programPath.allowed + "; one after - may be missing",
        parse: { (text, context) throws(InvalidValue) in
            guard text.hasPrefix("-") else { return try programPath.parse(text, context) }
            return "-" + (try programPath.parse(String(text.dropFirst()), context))
        },
        text: { $0 }
    )

    static let user = ValueFormat(
        allowed: "the name or number of a user",
        parse: { (text, context) throws(InvalidValue) in try group.parse(text, context) },
        text: { $0 }
    )
}

extension ValueFormat<Int?> {
    static let instances = ValueFormat(
        allowed: ValueFormat<Int>.integer(1...ProgramConfiguration.maxInstances).allowed
            + ", or max (one for each core)",
        parse: { (text, context) throws(InvalidValue) in
            if ["max", "auto"].contains(text) { return nil }
            guard text != "0" else {
                throw InvalidValue(
                    hint: "one for each core is max; a program that is not to start has autostart: false")
            }
            return try ValueFormat<Int>.integer(1...ProgramConfiguration.maxInstances).parse(text, context)
        },
        text: { $0.map { String($0) } ?? "max" }
    )
}

extension ValueFormat<Int> {
    /// A file mode creation mask, octal.
    static let umask = ValueFormat(
        allowed: "an octal number from 000 to 777",
        parse: { (text, _) throws(InvalidValue) in
            guard text.isDecimal, let value = Int(text, radix: 8), value <= 0o777 else { throw InvalidValue() }
            return value
        },
        text: { value in
            let digits = String(value, radix: 8)
            return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        }
    )

    static let nice = ValueFormat(
        allowed: "a whole number from -20 to 19",
        parse: { (text, _) throws(InvalidValue) in
            let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
            guard digits.isDecimal, let value = Int(text), (-20...19).contains(value) else { throw InvalidValue() }
            return value
        },
        text: { String($0) }
    )
}

extension ValueFormat<Int32> {
    /// The signal that asks a process to end.
    static let stopSignal = ValueFormat(
        allowed: "a signal such as SIGTERM, INT or 15",
        parse: { (text, _) throws(InvalidValue) in
            guard let number = SignalName.number(text) else { throw InvalidValue() }
            // SIGCHLD, SIGCONT, SIGSTOP…SIGTTOU, SIGURG, SIGWINCH end nothing (signal(7)).
            guard !([17, 18, 23, 28].contains(number) || (19...22).contains(number)) else {
                throw InvalidValue(hint: "no process ends by it")
            }
            return number
        },
        text: { SignalName.text($0) ?? String($0) }
    )
}

extension ValueFormat<ProgramLimit> {
    static let limit = ValueFormat(
        allowed:
            "limits such as nofile=4096, nofile=1024:4096 (soft and hard) or core=unlimited, or name: value for each",
        parse: { (text, _) throws(InvalidValue) in
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else { throw InvalidValue() }
            guard resources.contains(parts[0]) else {
                var word = parts[0].lowercased()
                for prefix in ["limit", "rlimit_"] where word.hasPrefix(prefix) { word.removeFirst(prefix.count) }
                let near = Suggestion.nearest(to: word, among: resources)
                throw InvalidValue(
                    hint: near.map { "did you mean \($0)?" } ?? "there are \(resources.joined(separator: ", "))")
            }
            let ends = parts[1].split(separator: ":", omittingEmptySubsequences: false)
            guard (1...2).contains(ends.count) else { throw InvalidValue() }
            let values = ends.map { bound(String($0), isSize: sizes.contains(parts[0])) }
            guard let first = values.first, let last = values.last, let soft = first, let hard = last else {
                throw InvalidValue(hint: "\(parts[1]) is neither a number nor unlimited")
            }
            guard soft.value ?? .max <= hard.value ?? .max else {
                throw InvalidValue(hint: "the soft limit comes first, and is not above the hard one")
            }
            return ProgramLimit(resource: parts[0], soft: soft.value, hard: hard.value)
        },
        text: { limit in
            let ends = [limit.soft, limit.hard].map { $0.map { String($0) } ?? "unlimited" }
            return "\(limit.resource)=\(ends[0] == ends[1] ? ends[0] : ends.joined(separator: ":"))"
        }
    )

    /// As in prlimit(1).
    private static let resources =
        sizes + [
            "cpu", "locks", "nice", "nofile", "nproc", "rtprio", "rttime", "sigpending",
        ]
    /// Those that count bytes.
    private static let sizes = ["as", "core", "data", "fsize", "memlock", "msgqueue", "rss", "stack"]

    private struct Bound {
        /// `nil`: unlimited.
        var value: UInt64?
    }

    private static func bound(_ text: String, isSize: Bool) -> Bound? {
        if text == "unlimited" || text == "infinity" { return Bound(value: nil) }
        if text.isDecimal { return UInt64(text).map { Bound(value: $0) } }
        guard isSize else { return nil }
        return Quantity.parse(text, unit: ValueFormat<Int>.sizeFactor).map { Bound(value: UInt64($0)) }
    }
}

extension ValueFormat<ProgramRestart> {
    static let programRestart = ValueFormat(
        allowed: choice.allowed,
        parse: { (text, context) throws(InvalidValue) in
            switch text.lowercased() {
            case "true", "yes": throw InvalidValue(hint: "did you mean always?")
            case "false", "no": throw InvalidValue(hint: "did you mean never?")
            case "unless-stopped": throw InvalidValue(hint: "always is just that")
            case "unexpected": throw InvalidValue(hint: "did you mean on-failure?")
            default: return try choice.parse(text, context)
            }
        },
        text: choice.text
    )
}

extension ValueFormat<CronSchedule> {
    static let cron = ValueFormat(
        allowed: "five fields as in crontab(5), such as \"30 4 * * *\", or @daily",
        parse: { (text, _) throws(InvalidValue) in
            do throws(CronError) {
                return try CronSchedule(text)
            } catch {
                // A sentence, which is to end another one.
                let sentence = error.description.hasSuffix(".") ? error.description.dropLast() : error.description[...]
                throw InvalidValue(hint: sentence.prefix(1).lowercased() + sentence.dropFirst())
            }
        },
        text: \.description
    )
}
