/// A method and path of the backend's API: the type of call and what the path says of it.
struct BackendRoute {
    /// Characters of a peer's own text in a sentence.
    private static let maxQuoted = 64

    let type: String
    private(set) var arguments: BackendArguments

    /// - Parameter query: still percent-encoded; a name that is none of the call's is refused.
    init(method: String, path: String, query: String) throws(BackendError) {
        try self.init(method: method, path: path)
        try arguments.add(query: query, of: self)
    }

    /// `path` still percent-encoded, without a slash before it.
    private init(method: String, path: String) throws(BackendError) {
        var segments: [String] = []
        for segment in path.split(separator: "/", omittingEmptySubsequences: false) {
            guard let text = PercentEncoding.decode(segment.utf8, plusIsSpace: false) else {
                throw .invalid("The path is not percent-encoded UTF-8")
            }
            segments.append(text)
        }
        var arguments = BackendArguments()
        let methods: KeyValuePairs<String, String>
        switch (segments.count, segments.first, segments.last) {
        case (1, "publish", _): methods = ["POST": "publish"]
        case (1, "publish-many", _): methods = ["POST": "publishMany"]
        case (1, "broadcast", _): methods = ["POST": "broadcast"]
        case (1, "batch", _): methods = ["POST": "batch"]
        case (1, "rooms", _): methods = ["GET": "rooms"]
        case (1, "info", _): methods = ["GET": "info"]
        case (3, "rooms", let what?):
            arguments.room = segments[1]
            methods = Self.ofRooms(what)
        case (3, "users", let what?):
            arguments.user = segments[1]
            methods = Self.ofUsers(what)
        case (3, "clients", "disconnect"):
            arguments.client = segments[1]
            methods = ["POST": "disconnect"]
        default: methods = [:]
        }
        guard !methods.isEmpty else {
            throw BackendError(.notFound, "There is no such call; docs/openapi.yaml lists all of them")
        }
        guard let type = methods.first(where: { $0.key == method })?.value else {
            throw BackendError(.methodNotAllowed, "Use \(methods.map(\.key).joined(separator: " or "))")
        }
        self.type = type
        self.arguments = arguments
    }

    private static func ofRooms(_ what: String) -> KeyValuePairs<String, String> {
        switch what {
        case "presence": ["GET": "presence"]
        case "count": ["GET": "presenceCount"]
        case "history": ["GET": "history", "DELETE": "removeHistory"]
        default: [:]
        }
    }

    private static func ofUsers(_ what: String) -> KeyValuePairs<String, String> {
        switch what {
        case "send": ["POST": "send"]
        case "disconnect": ["POST": "disconnect"]
        case "subscribe": ["POST": "subscribe"]
        case "unsubscribe": ["POST": "unsubscribe"]
        default: [:]
        }
    }
}

extension BackendRoute {
    /// Names of the query's parameters.
    private var parameters: [String] {
        switch type {
        case "rooms": ["prefix", "limit"]
        case "history": ["from", "limit", "reverse"]
        default: []
        }
    }

    /// `nil`: the call takes a parameter of this name.
    func refusal(ofParameter name: String) -> BackendError? {
        let known = parameters
        guard !known.contains(name) else { return nil }
        let quoted = known.map { "`\($0)`" }
        let list =
            quoted.isEmpty
            ? "none" : quoted.dropLast().joined(separator: ", ") + " and " + (quoted.last ?? "")
        return .invalid("This call has no parameter `\(name.prefix(Self.maxQuoted))` in its query; it takes \(list)")
    }
}

extension BackendArguments {
    /// What the path names counts, whatever the body says.
    mutating func override(by path: BackendArguments) {
        room = path.room ?? room
        if path.user != nil || path.client != nil {
            user = path.user
            client = path.client
        }
    }

    /// Parameters as a form has them (`+` is a space); of one given twice the last counts.
    fileprivate mutating func add(query: String, of route: BackendRoute) throws(BackendError) {
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentEncoding.decode(parts[0].utf8, plusIsSpace: true),
                let value = PercentEncoding.decode(parts.count > 1 ? parts[1].utf8 : "".utf8[...], plusIsSpace: true)
            else { throw .invalid("The query is not percent-encoded UTF-8") }
            if let refusal = route.refusal(ofParameter: name) { throw refusal }
            func number() throws(BackendError) -> UInt64 {
                guard let number = UInt64(value) else { throw .invalid("`\(name)` must be a whole number, 0 or more") }
                return number
            }
            switch name {
            case "prefix": prefix = value
            case "limit": limit = try number()
            case "from": from = try number()
            case "reverse":
                guard ["", "true", "false", "1", "0"].contains(value) else {
                    throw .invalid("`reverse` must be true or false")
                }
                reverse = value != "false" && value != "0"
            default: break
            }
        }
    }
}
