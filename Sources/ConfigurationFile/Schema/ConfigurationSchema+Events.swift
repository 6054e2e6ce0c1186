import Model

// The entries of onEvent. Bounds stand also with the fields of EventHookConfiguration.

extension ConfigurationSchema {
    static let events = [
        SchemaKey(
            "onEvent", entries: \.onEvent, of: EventHookConfiguration(), eventHook,
            allowed: "a list of hooks, each with events, and run or url",
            synonyms: [
                "event": "events", "on": "events", "type": "events", "types": "events", "program": "programs",
                "command": "run", "exec": "run", "script": "run", "webhook": "url", "post": "url", "rate": "rateLimit",
                "limit": "rateLimit",
            ],
            complete: { hook, context in
                guard let file = hook.run.first, file.contains("/"), !file.hasPrefix("/"), !context.folder.isEmpty
                else { return }
                hook.run[0] = "\(context.folder)/\(file)"
            },
            example: """
                - events: [process.failed, process.unresponsive]
                  run: /usr/local/bin/page-somebody
                - events: [program.exited, reload.*]
                  programs: [api]
                  url: https://chat.example.org/hooks/5f2a
                """,
            "What is done when something happens: a program is run, or an address called. docs/events.md lists all events."
        )
    ]

    private static let eventHook: [SchemaField<EventHookConfiguration>] = [
        SchemaField(
            "events", list: \.events, .eventPattern, required: true,
            "What it is for. The first word may say whose: process.exited is the end of any process, worker.exited, hub.exited "
                + "and program.exited of one of these."),
        SchemaField(
            "programs", list: \.programs, .line("names of programs"), "Only events of these programs."),
        SchemaField(
            "run", list: \.run, .argument, as: .words,
            allowed: "a program and its arguments, as one text or as a list of texts", most: 256,
            "Run once for each event, without a shell, with the event as JSON on its standard input and in variables "
                + "(WSD_EVENT_TYPE, …). What it writes goes to the log. A relative path starts at the folder of wsd.yaml."
        ),
        SchemaField(
            "url", \.url, ValueFormat.webhookURL.given, secret: true, unset: "none",
            "Called with the event as JSON (POST)."),
        SchemaField(
            "rateLimit", \.rateLimit, .rateOrOff,
            "Events above it are left out; the next one says how many, and the last one is told as soon as the rate allows it."
        ),
        SchemaField(
            "timeout", \.timeout, .duration(.milliseconds(100) ... .seconds(3600)),
            "A run is killed after it, a call given up."),
    ]
}

extension ValueFormat<EventPattern> {
    static let eventPattern = ValueFormat(
        allowed: "types of events such as process.exited, or patterns such as worker.* and \"*.failed\"",
        parse: { (text, _) throws(InvalidValue) in
            guard let pattern = EventPattern(text) else {
                let near = Suggestion.nearest(to: text, among: EventPattern.names)
                throw InvalidValue(hint: near.map { "did you mean \($0)?" } ?? "there is no such event")
            }
            return pattern
        },
        text: \.description
    )
}

extension ConfigurationRule {
    static let events = [
        ConfigurationRule(
            keys: ["onEvent"],
            documentation: "Each entry of `onEvent` has at least one of `events`, and `run` or `url`."
        ) { (configuration) -> [Breach] in
            configuration.onEvent.enumerated().compactMap { index, hook in
                let fault: (leaf: String, sentence: String)? =
                    if hook.events.isEmpty {
                        ("events", "events is empty: it would never be told anything")
                    } else if hook.run.isEmpty == (hook.url == nil) {
                        ("run", "give either run or url\(hook.url == nil ? "" : ", not both")")
                    } else {
                        nil
                    }
                return fault.map {
                    Breach(
                        message: "onEvent[\(index)].\($0.sentence)",
                        place: Place(key: "onEvent", entry: index, leaf: $0.leaf))
                }
            }
        }
    ]
}

extension ConfigurationDoubts {
    /// Programs that do not stand in the configuration: they may be started at run time.
    static func events(_ configuration: WsdConfiguration) -> [String] {
        let names = configuration.programs.map(\.name)
        return configuration.onEvent.enumerated().flatMap { index, hook in
            hook.programs.filter { !names.contains($0) }.compactMap { name in
                Suggestion.nearest(to: name, among: names).map { near in
                    "onEvent[\(index)].programs: there is no \(ShownText.quoted(name)) in programs; did you mean \(near)?"
                }
            }
        }
    }
}
