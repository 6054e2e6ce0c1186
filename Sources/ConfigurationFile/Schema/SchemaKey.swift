import Model

/// One key of the configuration: everything that the parser, the messages, the example file, the reference, the variables and
/// `wsctl config` know about it.
struct SchemaKey: Sendable {
    /// Path with dots: `workers.count`.
    var name: String
    /// Name of its variable: `WSD_WORKERS_COUNT`.
    var variable: String
    /// Its own flags, besides `--set`.
    var flags: [String]
    /// Sentences for the operator.
    var documentation: String
    /// Completes `it must be …`.
    var allowed: String
    /// The default as it would stand in the file, or a sentence where that depends on other keys.
    var defaultText: String
    /// Whether a reload can change it.
    var reloadable: Bool
    /// Never shown: neither its value nor the line it stands in.
    var secret: Bool
    /// Takes a sequence; a scalar stands for a sequence of one.
    var isList: Bool
    var access: Access

    /// How the value lies in a ``WsdConfiguration``.
    struct Access: Sendable {
        /// Reads texts into the configuration; on failure nothing changes and the index tells which text is wrong.
        var assign: @Sendable (inout WsdConfiguration, [String], ValueContext) throws(InvalidItem) -> Void
        /// As it would stand in the file.
        var text: @Sendable (WsdConfiguration) -> String
        var equal: @Sendable (WsdConfiguration, WsdConfiguration) -> Bool
        var copy: @Sendable (_ from: WsdConfiguration, _ to: inout WsdConfiguration) -> Void
    }

    struct InvalidItem: Error {
        var index: Int
        var reason: InvalidValue
    }

    /// The section it stands in; empty at the top level.
    var section: String {
        name.lastIndex(of: ".").map { String(name[..<$0]) } ?? ""
    }

    /// The word before the colon in the file.
    var leaf: String {
        name.lastIndex(of: ".").map { String(name[name.index(after: $0)...]) } ?? name
    }

    /// For `wsctl config` and messages: a secret that is set does not show.
    func shownText(_ configuration: WsdConfiguration) -> String {
        secret && !access.equal(configuration, WsdConfiguration()) ? "********" : access.text(configuration)
    }
}

extension SchemaKey {
    typealias Path<Value> = any WritableKeyPath<WsdConfiguration, Value> & Sendable

    /// A key with one value.
    init<Value>(
        _ name: String, _ path: Path<Value>, _ format: ValueFormat<Value>, reload: Bool = true, flags: [String] = [],
        variable: String? = nil, secret: Bool = false, _ documentation: String
    ) {
        self.init(
            name: name, variable: variable ?? Self.variable(for: name), flags: flags, documentation: documentation,
            allowed: format.allowed, defaultText: YamlText.scalar(format.text(WsdConfiguration()[keyPath: path])),
            reloadable: reload, secret: secret, isList: false,
            access: Access(
                assign: { (configuration, texts, context) throws(InvalidItem) in
                    guard texts.count == 1, let text = texts.first else {
                        throw InvalidItem(index: 0, reason: InvalidValue())
                    }
                    do throws(InvalidValue) {
                        configuration[keyPath: path] = try format.parse(text, context)
                    } catch {
                        throw InvalidItem(index: 0, reason: error)
                    }
                },
                text: { YamlText.scalar(format.text($0[keyPath: path])) },
                equal: { $0[keyPath: path] == $1[keyPath: path] },
                copy: { $1[keyPath: path] = $0[keyPath: path] }
            )
        )
    }

    /// A key with a list of values.
    init<Value>(
        _ name: String, list path: Path<[Value]>, _ format: ValueFormat<Value>, default defaultText: String? = nil,
        reload: Bool = true, flags: [String] = [], _ documentation: String
    ) {
        let text: @Sendable (WsdConfiguration) -> String = { configuration in
            "[" + configuration[keyPath: path].map { YamlText.scalar(format.text($0)) }.joined(separator: ", ") + "]"
        }
        self.init(
            name: name, variable: Self.variable(for: name), flags: flags, documentation: documentation,
            allowed: "a list of " + format.allowed, defaultText: defaultText ?? text(WsdConfiguration()),
            reloadable: reload,
            secret: false, isList: true,
            access: Access(
                assign: { (configuration, texts, context) throws(InvalidItem) in
                    var values: [Value] = []
                    for (index, text) in texts.enumerated() {
                        guard index < ConfigurationSchema.listMax else {
                            let hint = "\(ConfigurationSchema.listMax) entries are the most"
                            throw InvalidItem(index: index, reason: InvalidValue(hint: hint))
                        }
                        do throws(InvalidValue) {
                            values.append(try format.parse(text, context))
                        } catch {
                            throw InvalidItem(index: index, reason: error)
                        }
                    }
                    configuration[keyPath: path] = values
                },
                text: text,
                equal: { $0[keyPath: path] == $1[keyPath: path] },
                copy: { $1[keyPath: path] = $0[keyPath: path] }
            )
        )
    }

    /// `websocket.maxMessageSize` → `WSD_WEBSOCKET_MAX_MESSAGE_SIZE`.
    static func variable(for name: String) -> String {
        var text = "WSD_"
        var afterLowercase = false
        for character in name {
            if character.isUppercase && afterLowercase { text.append("_") }
            text.append(character == "." ? "_" : character.uppercased())
            afterLowercase = character.isLowercase
        }
        return text
    }
}

/// Values as YAML text.
enum YamlText {
    /// Plain where no YAML reader could take it for anything but this text, double-quoted otherwise.
    static func scalar(_ text: String) -> String {
        let plain = text.utf8.allSatisfy { $0.isLetterOrDigit || "./_-".utf8.contains($0) }
        if plain, let first = text.utf8.first, first.isLetterOrDigit || first == UInt8(ascii: "/") { return text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let hex = String(scalar.value, radix: 16, uppercase: true)
                quoted += "\\x" + (hex.count == 1 ? "0" : "") + hex
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
