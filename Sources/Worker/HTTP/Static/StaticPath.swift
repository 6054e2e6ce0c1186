/// Where in the static folder a request's path leads, or why nowhere.
enum StaticPath: Equatable {
    /// Relative to the folder, without a leading slash; empty for the folder itself. `isDirectory`: it ended with a slash.
    case file(String, isDirectory: Bool)
    /// A path that no file is served under: `..`, files whose name begins with a dot, empty names.
    case hidden
    /// Not a path: wrong percent-encoding, a NUL.
    case malformed

    /// - Parameter path: a target's path, percent-encoded, without its query.
    init(_ path: some StringProtocol) {
        guard path.utf8.first == UInt8(ascii: "/") else {
            self = .malformed
            return
        }
        var names: [String] = []
        let parts = path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if part.isEmpty, index == parts.count - 1 { break }
            guard let name = Self.decoded(part) else {
                self = .malformed
                return
            }
            let isWellKnown = index == 0 && name == ".well-known"
            guard !name.isEmpty, isWellKnown || !name.hasPrefix("."), !name.utf8.contains(UInt8(ascii: "/")) else {
                self = .hidden
                return
            }
            names.append(name)
        }
        self = .file(names.joined(separator: "/"), isDirectory: parts.last?.isEmpty ?? true)
    }

    private static func decoded(_ part: some Collection<UInt8>) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(part.count)
        var iterator = part.makeIterator()
        while let byte = iterator.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = iterator.next().flatMap(hexDigit), let low = iterator.next().flatMap(hexDigit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        guard !bytes.contains(0) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
