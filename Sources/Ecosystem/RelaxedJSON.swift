/// Reads JSON as PM2 takes it: with comments, trailing commas, single quotes and bare keys (JSON5 without its rarer numbers).
struct RelaxedJSON {
    private let bytes: [UInt8]
    private var offset = 0
    private var values = 0

    private init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// The one value of a text.
    static func parse(_ text: String) throws(EcosystemError) -> EcosystemValue {
        var reader = RelaxedJSON(text)
        if reader.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { reader.offset = 3 }
        try reader.skipSpace()
        let value = try reader.value(depth: 0)
        try reader.skipSpace()
        guard reader.offset == reader.bytes.count else {
            throw reader.fault("more follows after the end of the value; a bracket may be closed too early")
        }
        return value
    }

    private var byte: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private func fault(_ reason: String, at place: Int? = nil) -> EcosystemError {
        let before = bytes.prefix(place ?? offset)
        let line = before.count { $0 == UInt8(ascii: "\n") } + 1
        let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let column = String(decoding: before[start...], as: UTF8.self).unicodeScalars.count + 1
        return .syntax(line: line, column: column, reason)
    }

    /// White space and comments.
    private mutating func skipSpace() throws(EcosystemError) {
        while let byte {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: offset += 1
            // A no-break space (U+00A0), which editors and web pages leave behind.
            case 0xC2 where offset + 1 < bytes.count && bytes[offset + 1] == 0xA0: offset += 2
            case UInt8(ascii: "/") where offset + 1 < bytes.count && bytes[offset + 1] == UInt8(ascii: "/"):
                while let next = self.byte, next != 0x0A { offset += 1 }
            case UInt8(ascii: "/") where offset + 1 < bytes.count && bytes[offset + 1] == UInt8(ascii: "*"):
                try skipBlockComment()
            default: return
            }
        }
    }

    private mutating func skipBlockComment() throws(EcosystemError) {
        let start = offset
        offset += 2
        while offset + 1 < bytes.count {
            if bytes[offset] == UInt8(ascii: "*"), bytes[offset + 1] == UInt8(ascii: "/") {
                offset += 2
                return
            }
            offset += 1
        }
        throw fault("a comment begins here that never ends", at: start)
    }

    private mutating func value(depth: Int) throws(EcosystemError) -> EcosystemValue {
        values += 1
        guard depth <= EcosystemLimits.depth else { throw fault("brackets within one another without end") }
        guard values <= EcosystemLimits.values else { throw fault("more values than a file of programs can have") }
        switch byte {
        case UInt8(ascii: "{"): return .object(try members(depth: depth))
        case UInt8(ascii: "["): return .list(try items(depth: depth))
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return .text(try string())
        case nil: throw fault("the text ends where a value belongs")
        default: return try word()
        }
    }

    private mutating func members(depth: Int) throws(EcosystemError) -> [EcosystemMember] {
        var members: [EcosystemMember] = []
        var places: [String: Int] = [:]
        let start = offset
        offset += 1
        while true {
            try skipSpace()
            if try ends(with: UInt8(ascii: "}"), opened: start) { return members }
            let key = try key()
            try skipSpace()
            guard byte == UInt8(ascii: ":") else { throw fault("a colon belongs after the key \(key)") }
            offset += 1
            try skipSpace()
            let value = try value(depth: depth + 1)
            if let place = places[key] {
                members[place].value = value
            } else {
                places[key] = members.count
                members.append(EcosystemMember(key, value))
            }
            try skipComma(before: UInt8(ascii: "}"))
        }
    }

    private mutating func items(depth: Int) throws(EcosystemError) -> [EcosystemValue] {
        var items: [EcosystemValue] = []
        let start = offset
        offset += 1
        while true {
            try skipSpace()
            if try ends(with: UInt8(ascii: "]"), opened: start) { return items }
            items.append(try value(depth: depth + 1))
            try skipComma(before: UInt8(ascii: "]"))
        }
    }

    private mutating func ends(with closing: UInt8, opened start: Int) throws(EcosystemError) -> Bool {
        guard let byte else { throw fault("a bracket opens here that is never closed", at: start) }
        guard byte == closing else { return false }
        offset += 1
        return true
    }

    private mutating func skipComma(before closing: UInt8) throws(EcosystemError) {
        try skipSpace()
        if byte == UInt8(ascii: ",") {
            offset += 1
        } else if let byte, byte != closing {
            throw fault("a comma or a closing bracket belongs here")
        }
    }

    private mutating func key() throws(EcosystemError) -> String {
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") { return try string() }
        let start = offset
        while let byte, Self.isWord(byte) || byte >= 0x80 { offset += 1 }
        guard offset > start else { throw fault("a key belongs here, in double quotes") }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"):
            true
        default: false
        }
    }

    /// A literal or a number.
    private mutating func word() throws(EcosystemError) -> EcosystemValue {
        let start = offset
        while let byte, Self.isWord(byte) || "+-.".utf8.contains(byte) { offset += 1 }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        switch text {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "null", "undefined": return .null
        default:
            guard let first = text.utf8.first, !(UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first | 0x20),
                Double(text)?.isFinite == true
            else {
                throw fault(
                    text.isEmpty
                        ? "no value begins with this character; text stands in double quotes"
                        : "\(text.prefix(40)) is no value; text stands in double quotes, and nothing is calculated",
                    at: start)
            }
            return .number(text)
        }
    }

    private mutating func string() throws(EcosystemError) -> String {
        let start = offset
        let quote = bytes[offset]
        offset += 1
        var text: [UInt8] = []
        while let byte {
            offset += 1
            switch byte {
            case quote:
                guard let decoded = String(validating: text, as: UTF8.self) else {
                    throw fault("this text is not UTF-8", at: start)
                }
                return decoded
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0x0A, 0x0D: throw fault("this text is not closed in its line", at: start)
            default: text.append(byte)
            }
        }
        throw fault("a quote opens here that is never closed", at: start)
    }

    private mutating func escape(into text: inout [UInt8]) throws(EcosystemError) {
        guard let byte else { return }
        offset += 1
        switch byte {
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "u"): text += try unicode()
        // A line that goes on in the next one.
        case 0x0A: break
        default: text.append(byte)
        }
    }

    /// The four digits after `\u`, and the other half of a pair (RFC 8259 section 7).
    private mutating func unicode() throws(EcosystemError) -> [UInt8] {
        let start = offset
        let first = try unit()
        var code = first
        if (0xD800..<0xDC00).contains(first), bytes[offset...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) {
            offset += 2
            let second = try unit()
            guard (0xDC00..<0xE000).contains(second) else { throw fault("half a character", at: start) }
            code = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw fault("half a character", at: start) }
        return Array(String(scalar).utf8)
    }

    private mutating func unit() throws(EcosystemError) -> UInt32 {
        let digits = bytes[offset...].prefix(4)
        guard digits.count == 4, let code = UInt32(String(decoding: digits, as: UTF8.self), radix: 16) else {
            throw fault("four hexadecimal digits belong after \\u")
        }
        offset += 4
        return code
    }
}
