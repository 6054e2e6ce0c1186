import Model

// Values about who may connect and what they may do.

extension ValueFormat {
    /// A format whose `value` stands for `nil`: what holds anyway.
    func orUnset(_ value: Value) -> ValueFormat<Value?> {
        let wrapped = self
        return ValueFormat<Value?>(
            allowed: allowed,
            parse: { (text, context) throws(InvalidValue) in
                let parsed = try wrapped.parse(text, context)
                return parsed == value ? nil : parsed
            },
            text: { wrapped.text($0 ?? value) }
        )
    }

    /// A format for a field that may be left out altogether, but not be written as such.
    var given: ValueFormat<Value?> {
        let wrapped = self
        return ValueFormat<Value?>(
            allowed: allowed,
            parse: { (text, context) throws(InvalidValue) in try wrapped.parse(text, context) },
            text: { $0.map(wrapped.text) ?? "" }
        )
    }
}

extension ValueFormat<RateLimit> {
    /// A rate, or `off`.
    static let rateOrOff = ValueFormat(
        allowed: "a rate such as 10/s burst 20, 600/m or 30/h, or off",
        parse: { (text, _) throws(InvalidValue) in
            guard let limit = RateLimit(text) else { throw InvalidValue(hint: rateHint(text)) }
            return limit
        },
        text: \.description
    )

    private static func rateHint(_ text: String) -> String {
        if ["none", "no", "never", "unlimited", "false", "0"].contains(text.lowercased()) {
            return "did you mean off?"
        }
        if text.isDecimal { return "it needs a unit: \(text)/s, \(text)/m or \(text)/h" }
        if let slash = text.firstIndex(of: "/"), text[..<slash].contains(".") {
            return "whole numbers only; a slow rate has a longer unit, such as 30/m"
        }
        return "1/h to 1,000,000/s, and a burst of 1 to 1,000,000; without one it is what comes back in two seconds"
    }
}

extension ValueFormat<RateLimit?> {
    /// A rate; `nil`, written `off`: none.
    static let rate = ValueFormat<RateLimit>.rateOrOff.orUnset(.off)
}

extension ValueFormat<String> {
    /// An entry of `limits.origins`.
    static let origin = ValueFormat(
        allowed: "origins such as https://app.example.org or \"https://*.example.org\", same-host, or \"*\"",
        parse: { (text, _) throws(InvalidValue) in
            if let pattern = OriginPattern(text) { return pattern.description }
            throw InvalidValue(hint: originHint(text))
        },
        text: { $0 }
    )

    private static func originHint(_ text: String) -> String? {
        var stripped = text.lowercased()
        while stripped.hasSuffix("/") { stripped.removeLast() }
        if stripped.hasPrefix("wss://") || stripped.hasPrefix("ws://") {
            return "it is the page's address that counts: http:// or https://"
        }
        for (scheme, port) in [("https://", ":443"), ("http://", ":80")] {
            if stripped.hasPrefix(scheme), stripped.hasSuffix(port) { stripped.removeLast(port.utf8.count) }
        }
        if stripped != text, OriginPattern(stripped) != nil { return "did you mean \(stripped)?" }
        if !text.utf8.allSatisfy({ $0 < 0x80 }) { return "write the host as browsers send it: xn--…" }
        if !text.contains("://"), OriginPattern("https://\(stripped)") != nil {
            return "did you mean https://\(stripped)?"
        }
        if text.contains("://"), let slash = stripped.dropFirst(8).firstIndex(of: "/") {
            return "an origin has no path: \(ShownText.plain(String(stripped[..<slash])))"
        }
        return nil
    }

    /// Where a webhook is called: `http:` or `https:`, with path and query, without user and fragment.
    static let webhookURL = ValueFormat(
        allowed: "an address such as https://app.example.org/hooks/connect",
        parse: { (text, _) throws(InvalidValue) in
            guard let scheme = ["https://", "http://"].first(where: text.hasPrefix) else {
                let hint = text.contains("://") ? "only http:// and https:// are called" : nil
                throw InvalidValue(hint: hint)
            }
            let rest = text.dropFirst(scheme.count)
            let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
            guard !authority.contains("@") else {
                throw InvalidValue(hint: "no user and password: calls are signed with webhooks.secretFile")
            }
            guard !rest.contains("#") else { throw InvalidValue(hint: "a part after # is never sent") }
            guard text.utf8.count <= 2048, isAuthority(authority) else { throw InvalidValue() }
            let parts = rest.dropFirst(authority.count).split(
                separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            let path = parts.first ?? ""
            guard path.isEmpty || String(path).isURLPath else { throw InvalidValue() }
            // RFC 3986 section 3.4.
            let query = parts.count == 2 ? parts[1] : ""
            guard query.utf8.allSatisfy({ $0.isLetterOrDigit || "-._~%!$&'()*+,;=:@/?".utf8.contains($0) }) else {
                throw InvalidValue()
            }
            return text
        },
        text: { $0 }
    )

    /// The pattern of a room rule.
    static let roomPattern = ValueFormat(
        allowed: "a pattern over room names such as \"chat:*\" or \"user:{user}\"",
        parse: { (text, _) throws(InvalidValue) in
            guard !text.isEmpty, text.utf8.count <= 1024 else { throw InvalidValue() }
            guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
                throw InvalidValue(hint: "it holds a control character")
            }
            // {userId} would be taken for a name's own letters, and the rule for none.
            for part in text.split(separator: "{").dropFirst(text.hasPrefix("{") ? 0 : 1) {
                guard let end = part.firstIndex(of: "}"), part[..<end] != "user" else { continue }
                let word = String(part[..<end])
                if Suggestion.nearest(to: word, among: ["user"]) != nil {
                    throw InvalidValue(hint: "did you mean {user}?")
                }
            }
            return text
        },
        text: { $0 }
    )

    /// What stands in logs for a key of the API.
    static let keyName = ValueFormat(
        allowed: "a name of 1 to 64 letters, digits, dots, _ or -",
        parse: { (text, _) throws(InvalidValue) in
            guard !text.isEmpty, text.utf8.count <= 64 else { throw InvalidValue() }
            guard text.utf8.allSatisfy({ $0.isLetterOrDigit || "._-".utf8.contains($0) }) else { throw InvalidValue() }
            return text
        },
        text: { $0 }
    )

    /// A hash, in lower case.
    static let sha256 = ValueFormat(
        allowed: "the SHA-256 of the key, 64 hexadecimal digits",
        parse: { (text, _) throws(InvalidValue) in
            let digits = "0123456789abcdefABCDEF".utf8
            guard text.utf8.count == 64, text.utf8.allSatisfy(digits.contains) else {
                throw InvalidValue(hint: "wsctl key new makes a key with its hash, wsctl key hash that of a key")
            }
            return text.lowercased()
        },
        text: { $0 }
    )

    /// A word in a URL's query or the name of a cookie: RFC 9110's `token` without what needs encoding.
    static let parameterName = ValueFormat(
        allowed: "a name of 1 to 64 letters, digits, dots, _ or -",
        parse: { (text, context) throws(InvalidValue) in try keyName.parse(text, context) },
        text: { $0 }
    )

    /// Any text of one line.
    static func line(_ allowed: String) -> Self {
        ValueFormat(
            allowed: allowed,
            parse: { (text, _) throws(InvalidValue) in
                guard !text.isEmpty, text.utf8.count <= 1024 else { throw InvalidValue() }
                guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
                    throw InvalidValue()
                }
                return text
            },
            text: { $0 }
        )
    }
}
