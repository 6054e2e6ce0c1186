import Model

// How it is found out whether a program's process serves.

extension ValueFormat<ProgramProbe> {
    static let probe = ValueFormat(
        allowed: "tcp://127.0.0.1:3000, http://127.0.0.1:3000/healthz or unix:/run/app.sock:/healthz",
        parse: { (text, _) throws(InvalidValue) in
            if text.hasPrefix("tcp://") { return try tcp(String(text.dropFirst(6))) }
            if text.hasPrefix("http://") { return try http(String(text.dropFirst(7))) }
            if text.hasPrefix("unix:") { return try unix(String(text.dropFirst(5))) }
            if text.hasPrefix("https://") {
                throw InvalidValue(hint: "it does not speak TLS: ask a plain port, or tcp:// for connecting alone")
            }
            if let port = UInt16(text), port > 0 { throw InvalidValue(hint: "did you mean tcp://127.0.0.1:\(port)?") }
            if case .tcp(.some, 1...)? = ListenAddress(text) { throw InvalidValue(hint: "did you mean tcp://\(text)?") }
            if text.hasPrefix("/") { throw InvalidValue(hint: "it needs an address: http://127.0.0.1:3000\(text)") }
            throw InvalidValue()
        },
        text: { probe in
            switch probe {
            case .tcp(let host, let port): "tcp://\(ListenAddress.tcp(host: host, port: port))"
            case .http(.unix(let socket), let path): "unix:\(socket):\(path)"
            case .http(let address, let path): "\(address)\(path)"
            }
        }
    )

    /// `3000` and `:3000` are ports of this machine.
    private static func tcp(_ text: String) throws(InvalidValue) -> ProgramProbe {
        guard case .tcp(let host, let port)? = ListenAddress(text) else {
            throw InvalidValue(hint: NetworkText.isHost(text) ? "it needs a port: tcp://\(text):3000" : nil)
        }
        guard port > 0, NetworkText.isHost(host ?? "127.0.0.1") else { throw InvalidValue() }
        return .tcp(host: host ?? "127.0.0.1", port: port)
    }

    private static func http(_ text: String) throws(InvalidValue) -> ProgramProbe {
        var authority = String(text.prefix { $0 != "/" && $0 != "?" })
        let rest = String(text.dropFirst(authority.count))
        let port = authority.hasPrefix(":") ? authority.dropFirst() : authority[...]
        if port.isDecimal { authority = "127.0.0.1:\(port)" }
        guard !authority.contains("@") else { throw InvalidValue(hint: "no user and password") }
        guard let address = UpstreamAddress("http://\(authority)"), case .tcp(let host, _, _) = address,
            NetworkText.isHost(host)
        else { throw InvalidValue() }
        return .http(address, path: try target(rest.hasPrefix("/") ? rest : "/\(rest)"))
    }

    private static func unix(_ text: String) throws(InvalidValue) -> ProgramProbe {
        // The first colon before a slash: a path of a URL may hold more.
        var end = text.startIndex
        while let colon = text[end...].firstIndex(of: ":") {
            end = text.index(after: colon)
            guard text[end...].hasPrefix("/") else { continue }
            guard let address = UpstreamAddress("unix:\(text[..<colon])") else { throw InvalidValue() }
            return .http(address, path: try target(String(text[end...])))
        }
        let hint = text.hasPrefix("/") ? "it needs the path to ask for: unix:\(text):/healthz" : nil
        throw InvalidValue(hint: hint)
    }

    /// Path and query as they stand in a request line (RFC 9112 section 3.2.1).
    private static func target(_ text: String) throws(InvalidValue) -> String {
        guard text.utf8.count <= 1024, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !text.contains("#") else {
            throw InvalidValue(hint: "its path holds what a request cannot")
        }
        return text
    }
}

extension ValueFormat<ProgramReadiness> {
    private static let times = ValueFormat<Duration>.duration(.zero ... .seconds(3600))
    private static let texts = ValueFormat<String>.line("a text")

    static let readiness = ValueFormat(
        allowed: "a time to live such as 2s (0: at once), notify, log:TEXT, " + ValueFormat<ProgramProbe>.probe.allowed,
        parse: { (text, context) throws(InvalidValue) in
            if text == "notify" { return .notify }
            if text.hasPrefix("log:") { return .log(try texts.parse(String(text.dropFirst(4)), context)) }
            if text.contains(":") || text.hasPrefix("/") {
                return .probe(try ValueFormat<ProgramProbe>.probe.parse(text, context))
            }
            if let near = Suggestion.nearest(to: text, among: ["notify"]) {
                throw InvalidValue(hint: "did you mean \(near)?")
            }
            return .after(try times.parse(text, context))
        },
        text: { readiness in
            switch readiness {
            case .after(let time): times.text(time)
            case .notify: "notify"
            case .probe(let probe): ValueFormat<ProgramProbe>.probe.text(probe)
            case .log(let text): "log:\(text)"
            }
        }
    )
}
