/// Finds the control groups of this process in the file system (cgroups(7)): version 2, version 1, both side by side, and those
/// of a container that sees only its own.
struct ControlGroups: Equatable {
    /// Bytes read of each of the two tables.
    static let tableLimit = 1024 * 1024
    /// Groups looked at above the process's own.
    static let maxDepth = 32
    /// Group of version 2 to which the service's own processes go where their group may have none of its own
    /// (``ProgramGroups/countMemory(in:)``). The one above it is still the service's.
    static let ownLeaf = "wsd.own"

    /// A group and those above it, as far as they can be seen: its own directory first.
    typealias Chain = [String]

    /// Places where the group of version 2 may be, best first.
    var unified: [Chain] = []
    /// Likewise that of version 1's memory controller.
    var memory: [Chain] = []

    /// - Parameter root: put before every path; another than the empty one for tests.
    static func find(root: String = "") -> ControlGroups {
        guard let own = ProcFile.text(root + "/proc/self/cgroup", limit: tableLimit),
            let mounts = ProcFile.text(root + "/proc/self/mountinfo", limit: tableLimit)
        else { return ControlGroups() }
        return ControlGroups(own: own, mounts: mounts)
    }

    private init() {}

    /// - Parameters:
    ///   - own: `/proc/self/cgroup`.
    ///   - mounts: `/proc/self/mountinfo` (proc(5)).
    init(own: String, mounts: String) {
        var paths: (unified: String?, memory: String?)
        for line in own.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if fields[0] == "0", fields[1].isEmpty {
                paths.unified = String(
                    fields[2].hasSuffix("/\(Self.ownLeaf)") ? fields[2].dropLast(Self.ownLeaf.count) : fields[2])
            }
            if fields[1].split(separator: ",").contains("memory") { paths.memory = String(fields[2]) }
        }
        // A later mount may hide an earlier one.
        for mount in mounts.split(separator: "\n").compactMap({ Mount($0) }).reversed() {
            if mount.type == "cgroup2", let path = paths.unified, let chain = mount.chain(to: path) {
                unified.append(chain)
            } else if mount.type == "cgroup", mount.options.contains("memory"), let path = paths.memory,
                let chain = mount.chain(to: path)
            {
                memory.append(chain)
            }
        }
    }

    private struct Mount {
        /// What of the hierarchy is mounted, and where.
        var root: String
        var point: String
        var type: Substring
        var options: [Substring]

        /// `36 35 98:0 /root /point rw,noatime master:1 - type source rw,options`
        init?(_ line: Substring) {
            guard let separator = line.firstRange(of: " - ") else { return nil }
            let fields = line[..<separator.lowerBound].split(separator: " ")
            let rest = line[separator.upperBound...].split(separator: " ")
            guard fields.count > 4, rest.count > 2 else { return nil }
            root = Self.unescaped(fields[3])
            point = Self.unescaped(fields[4])
            type = rest[0]
            options = rest[2].split(separator: ",")
        }

        /// `nil`: the mount does not show that group.
        func chain(to path: String) -> Chain? {
            let parts = path.split(separator: "/")
            let roots = root.split(separator: "/")
            guard parts.starts(with: roots), !parts.contains("..") else { return nil }
            let below = parts.dropFirst(roots.count)
            return (0...below.count).prefix(ControlGroups.maxDepth).map { up in
                ([point == "/" ? "" : point] + below.dropLast(up).map(String.init)).joined(separator: "/")
            }
        }

        /// Blanks and the like stand as `\040` in the table.
        private static func unescaped(_ field: Substring) -> String {
            var bytes: [UInt8] = []
            var rest = Array(field.utf8)[...]
            while let first = rest.popFirst() {
                let digits = rest.prefix(3)
                if first == UInt8(ascii: "\\"), digits.count == 3,
                    let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
                {
                    bytes.append(value)
                    rest = rest.dropFirst(3)
                } else {
                    bytes.append(first)
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
