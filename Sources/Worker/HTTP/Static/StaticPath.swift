import Wire

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
            guard let name = PercentEncoding.decode(part, plusIsSpace: false), !name.utf8.contains(0) else {
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
}
