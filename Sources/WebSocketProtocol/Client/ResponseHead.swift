/// The head of an HTTP/1.1 response (RFC 9112 section 4).
struct ResponseHead {
    /// 100…999.
    let status: Int
    /// In order, names as sent.
    let fields: [HTTPField]

    /// Reads a head that ends with an empty line.
    init(_ bytes: UnsafeRawBufferPointer) throws(HTTPRefusal) {
        var cursor = LineCursor(bytes: bytes, index: 0)
        status = try Self.status(bytes[cursor.next()])
        var fields: [HTTPField] = []
        while true {
            let line = try cursor.next()
            if line.isEmpty { break }
            guard fields.count < RequestHeadParser.maxFields else {
                throw .malformed("The head has more than \(RequestHeadParser.maxFields) fields.")
            }
            let range = try HeadLines.field(line, in: bytes)
            fields.append(HTTPField(Self.text(bytes, range.name), Self.text(bytes, range.value)))
        }
        self.fields = fields
    }

    /// All values of that name, given in lower case.
    func values(_ name: String) -> [String] {
        fields.lazy.filter { $0.name.lowercased() == name }.map(\.value)
    }

    /// Whether a comma-separated list field contains a token, given in lower case.
    func lists(_ name: String, _ token: String) -> Bool {
        values(name).contains { value in
            value.lowercased().utf8.split(separator: UInt8(ascii: ",")).contains { element in
                let trimmed = element.drop(while: \.isBlank)
                let end = trimmed.lastIndex { !$0.isBlank }
                return end.map { trimmed[...$0].elementsEqual(token.utf8) } ?? false
            }
        }
    }

    private static func status(_ line: Slice<UnsafeRawBufferPointer>) throws(HTTPRefusal) -> Int {
        let digits = line.dropFirst(9).prefix(3)
        guard line.starts(with: "HTTP/1.1 ".utf8), digits.count == 3,
            digits.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
            digits.first != UInt8(ascii: "0"), line.dropFirst(12).first ?? 0x20 == 0x20
        else { throw .malformed("The server's answer does not begin with `HTTP/1.1` and a status.") }
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    private static func text(_ bytes: UnsafeRawBufferPointer, _ range: Range<UInt32>) -> String {
        String(decoding: bytes[Int(range.lowerBound)..<Int(range.upperBound)], as: UTF8.self)
    }
}
