/// What a request asks of a file besides its content (RFC 9110 sections 13 and 14), decided from texts and numbers alone.
struct FileConditions: Equatable, Sendable {
    var ifNoneMatch: String?
    var ifModifiedSince: String?
    var ifRange: String?
    var range: String?

    enum Answer: Equatable {
        case whole
        case part(Range<Int64>)
        case notModified
        case unsatisfiable
    }

    /// - Parameters:
    ///   - tag: the file's entity tag, quoted.
    ///   - modified: seconds since 1970.
    ///   - size: bytes.
    func answer(tag: String, modified: Int64, size: Int64) -> Answer {
        if let ifNoneMatch {
            if Self.matches(ifNoneMatch, tag) { return .notModified }
        } else if let since = ifModifiedSince.flatMap(HTTPDate.parse), modified <= since {
            return .notModified
        }
        guard let range, ifRange.map({ $0 == tag || $0 == HTTPDate.format(modified) }) ?? true else { return .whole }
        return Self.part(range, of: size)
    }

    /// Weak comparison with a list of tags or `*`.
    private static func matches(_ list: String, _ tag: String) -> Bool {
        list.split(separator: ",").contains { element in
            var text = element.drop { $0 == " " || $0 == "\t" }
            while text.last == " " || text.last == "\t" { text = text.dropLast() }
            if text.hasPrefix("W/") { text = text.dropFirst(2) }
            return text == tag || text == "*"
        }
    }

    /// One range of bytes; several, other units and nonsense are ignored, as a server may.
    private static func part(_ text: String, of size: Int64) -> Answer {
        guard text.hasPrefix("bytes="), !text.contains(",") else { return .whole }
        let bounds = text.dropFirst(6).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard bounds.count == 2, bounds.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else {
            return .whole
        }
        switch (Int64(bounds[0]), Int64(bounds[1])) {
        case (nil, let suffix?) where bounds[0].isEmpty:
            guard suffix > 0, size > 0 else { return .unsatisfiable }
            return .part(max(0, size - suffix)..<size)
        case (let first?, nil) where bounds[1].isEmpty:
            return first < size ? .part(first..<size) : .unsatisfiable
        case (let first?, let last?):
            guard first <= last else { return .whole }
            return first < size ? .part(first..<(min(last, size - 1) + 1)) : .unsatisfiable
        default:
            return .whole
        }
    }
}
