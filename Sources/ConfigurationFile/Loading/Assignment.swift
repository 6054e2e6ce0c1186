/// Where a value came from. Later cases are stronger.
enum ConfigurationLayer: Int, Comparable, Sendable {
    case defaults
    case file
    /// `PORT` and `WEBSOCKET_PORT`, as platforms set them.
    case platform
    case environment
    case flags

    static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// The place of one value, for messages and for `wsctl config`.
struct Origin: Sendable {
    var layer: ConfigurationLayer
    /// `wsd.yaml:12`, `environment WSD_PORT`, `--port`.
    var text: String
    /// Makes a problem of a sentence about this value.
    var problem: @Sendable (String) -> ConfigurationProblem

    static let defaults = Origin(layer: .defaults, named: "default")

    /// A place without lines.
    init(layer: ConfigurationLayer, named name: String) {
        self.layer = layer
        text = name
        problem = { ConfigurationProblem(place: name, message: $0) }
    }

    /// A place in the file. The line of a secret is never shown.
    init(line: Int, column: Int, of source: SourceText, secret: Bool = false) {
        layer = .file
        text = "\(source.name):\(line)"
        problem = { source.problem($0, line: line, column: column, showLine: !secret) }
    }
}

/// What one layer says about one key.
struct Assignment: Sendable {
    var key: SchemaKey
    /// One text, or those of a list.
    var texts: [Text]
    var origin: Origin
    var context: ValueContext

    struct Text: Sendable {
        var text: String
        var origin: Origin
    }

    /// From a variable or a flag: lists are separated by commas, `none` is the empty one.
    init(key: SchemaKey, written: String, origin: Origin, context: ValueContext) {
        var parts = [written]
        if key.isList {
            parts =
                written == "none"
                ? [] : written.split(separator: ",", omittingEmptySubsequences: false).map(Self.trimmed)
        }
        self.init(key: key, texts: parts.map { Text(text: $0, origin: origin) }, origin: origin, context: context)
    }

    init(key: SchemaKey, texts: [Text], origin: Origin, context: ValueContext) {
        self.key = key
        self.texts = texts
        self.origin = origin
        self.context = context
    }

    private static func trimmed(_ part: Substring) -> String {
        var part = part.drop { $0 == " " }
        while part.last == " " { part.removeLast() }
        return String(part)
    }
}
