/// A pattern of paths: `*` and `?` within a name, `**` for any number of folders, `[a-z]` and `[!a-z]` for one byte, `\` before a
/// character that is to stand for itself (glob(7), gitignore(5)).
///
/// A pattern without a slash means names wherever they are, one with a slash a path from the top. What is below a folder that
/// matches matches, too, and `dist/**` matches `dist` itself.
package struct GlobPattern: Hashable, Sendable {
    private enum Part: Hashable {
        case anyFolders
        case name([UInt8])
    }

    private let parts: [Part]
    /// It has no slash.
    let isName: Bool

    package init(_ text: String) {
        var names = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: true).map(Array.init)
        names.removeAll { $0 == Array(".".utf8) }
        let anyFolders = Array("**".utf8)
        while names.count > 1, names.last == anyFolders { names.removeLast() }
        let isAnchored = text.utf8.dropLast().contains(UInt8(ascii: "/"))
        isName = names.count == 1 && !isAnchored
        parts = names.map { $0 == anyFolders ? .anyFolders : .name($0) }
    }

    /// - Parameter names: of a path, from the top, without slashes.
    package func matches(_ names: [String]) -> Bool {
        guard !parts.isEmpty, !names.isEmpty else { return false }
        let names = names.map { Array($0.utf8) }
        if isName, case .name(let pattern) = parts[0] { return names.contains { Self.matches($0, pattern) } }
        return matchesPath(names)
    }

    /// Of the whole path, or of a folder that it lies in.
    private func matchesPath(_ names: [[UInt8]]) -> Bool {
        // At each part only the latest `**` need be tried again, with one folder more.
        var (name, part) = (0, 0)
        var retry: (name: Int, part: Int)?
        while true {
            if part == parts.count { return true }
            if case .anyFolders = parts[part] {
                retry = (name, part)
                part += 1
                if part == parts.count { return name < names.count }
                continue
            }
            if name < names.count, case .name(let pattern) = parts[part], Self.matches(names[name], pattern) {
                name += 1
                part += 1
                continue
            }
            guard let last = retry, last.name < names.count else { return false }
            retry = (last.name + 1, last.part)
            (name, part) = (last.name + 1, last.part + 1)
        }
    }

    /// One name, by one part of the pattern; at most their lengths' product in steps.
    private static func matches(_ name: [UInt8], _ pattern: [UInt8]) -> Bool {
        var (at, part) = (0, 0)
        var retry: (at: Int, part: Int)?
        while at < name.count || part < pattern.count {
            if part < pattern.count {
                if pattern[part] == UInt8(ascii: "*") {
                    retry = (at, part)
                    part += 1
                    continue
                }
                if at < name.count, let next = step(name[at], pattern, part) {
                    (at, part) = (at + 1, next)
                    continue
                }
            }
            guard let last = retry, last.at < name.count else { return false }
            retry = (last.at + 1, last.part)
            (at, part) = (last.at + 1, last.part + 1)
        }
        return true
    }

    /// Where the pattern goes on after a byte that it takes; `nil`: it does not.
    private static func step(_ byte: UInt8, _ pattern: [UInt8], _ at: Int) -> Int? {
        switch pattern[at] {
        case UInt8(ascii: "?"): return at + 1
        case UInt8(ascii: "\\") where at + 1 < pattern.count: return pattern[at + 1] == byte ? at + 2 : nil
        case UInt8(ascii: "["):
            let inverts = at + 1 < pattern.count && [UInt8(ascii: "!"), UInt8(ascii: "^")].contains(pattern[at + 1])
            let first = at + (inverts ? 2 : 1)
            // A bracket that is not closed stands for itself; one that comes first belongs to the list.
            guard first < pattern.count, let end = pattern[(first + 1)...].firstIndex(of: UInt8(ascii: "]")) else {
                return byte == pattern[at] ? at + 1 : nil
            }
            var index = first
            var isListed = false
            while index < end {
                if index + 2 < end, pattern[index + 1] == UInt8(ascii: "-") {
                    isListed = isListed || pattern[index] <= byte && byte <= pattern[index + 2]
                    index += 3
                } else {
                    isListed = isListed || pattern[index] == byte
                    index += 1
                }
            }
            return isListed != inverts ? end + 1 : nil
        default: return pattern[at] == byte ? at + 1 : nil
        }
    }
}
