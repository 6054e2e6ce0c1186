import Crypto
import Model

/// A new key of the API, and what to do with it.
struct KeyScreen {
    var name: String
    var rights: [APIRight]
    /// What the backend sends: `wsd_` and 64 hexadecimal digits. The letters before the digits keep it apart from its hash.
    var key: String

    /// For programs.
    struct Answer: Codable, Equatable {
        var name: String
        var key: String
        var sha256: String
        var allow: [APIRight]
    }

    /// Bytes of chance in a key.
    static let keyBytes = 32
    /// Fewest bytes of a key that is hashed; a shorter one can be guessed from its hash.
    static let keyMin = 16

    /// - Parameter generator: Whose numbers nobody can foresee.
    init(name: String, rights: [APIRight], using generator: inout some RandomNumberGenerator) {
        let bytes = (0..<Self.keyBytes).map { _ in UInt8.random(in: 0...255, using: &generator) }
        self.init(name: name, rights: rights, key: "wsd_\(Self.hexadecimal(bytes))")
    }

    init(name: String, rights: [APIRight], key: String) {
        self.name = name
        self.rights = rights
        self.key = key
    }

    /// What `api.keys` holds of a key: the SHA-256 of its UTF-8.
    static func hash(of key: String) -> String { hexadecimal(Array(SHA256.hash(data: Array(key.utf8)))) }

    var answer: Answer { Answer(name: name, key: key, sha256: Self.hash(of: key), allow: rights) }

    var lines: [String] {
        // A name that a YAML reader could take for something else stands in quotes.
        let isPlain = name.first?.isLetter == true && name.lowercased() != "null"
        return [
            "The key, for the backend. It is shown only now:", "", "  \(key)", "",
            "For wsd.yaml, where api: stands once, then wsctl reload:", "", "api:", "  keys:",
            "    - name: \(isPlain ? name : "\"\(name)\"")",
            "      sha256: \(Self.hash(of: key))",
            "      allow: [\(rights.map(\.rawValue).joined(separator: ", "))]",
        ]
    }

    /// A sentence where a name is none that `api.keys` takes.
    static func complaint(aboutName name: String) -> String? {
        let isFine =
            (1...64).contains(name.utf8.count)
            && name.unicodeScalars.allSatisfy { letter in
                switch letter {
                case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": true
                default: false
                }
            }
        guard !isFine else { return nil }
        return
            "'\(PlainText.cut(PlainText.harmless(name), to: 40))' is no name of a key: 1 to 64 letters, digits, dots, _ or -."
    }

    /// Reads `publish,observe`; `nil`: all. Throws a sentence.
    static func rights(_ text: String?) throws(KeyComplaint) -> [APIRight] {
        guard let text else { return APIRight.allCases }
        var rights: [APIRight] = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false).map({ $0.drop { $0 == " " } }) {
            guard let right = APIRight(rawValue: String(word)) else {
                let all = APIRight.allCases.map(\.rawValue).joined(separator: ", ")
                let shown = PlainText.cut(PlainText.harmless(String(word)), to: 40)
                throw KeyComplaint(message: "'\(shown)' is no right of a key; there are \(all).")
            }
            if !rights.contains(right) { rights.append(right) }
        }
        return rights
    }

    /// The key in a text that ends with a line break, or not. Throws a sentence where it is none to hash.
    static func key(inInput text: String) throws(KeyComplaint) -> String {
        var bytes = text.utf8[...]
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard bytes.count >= keyMin else {
            throw KeyComplaint(
                message:
                    "A key has at least \(keyMin) bytes, this one has \(bytes.count): wsctl key new makes a good one.")
        }
        guard bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw KeyComplaint(
                message: "A key is one word of ASCII letters, digits and signs, as it stands in a header.")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}

/// Why there is no key, as a sentence.
struct KeyComplaint: Error, Equatable {
    var message: String
}
