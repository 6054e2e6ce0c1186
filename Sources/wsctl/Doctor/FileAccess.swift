/// Whether a user may read a file or folder: the kernel's own rule for mode bits (path_resolution(7)), without ACLs and
/// without capabilities other than root's.
struct FileAccess {
    /// A component of the path, from the root on.
    struct Component: Equatable {
        var path: String
        var user: UInt32
        var group: UInt32
        /// Permission bits.
        var mode: UInt32
        var isDirectory: Bool
    }

    struct Identity: Equatable {
        var user: UInt32
        var groups: Set<UInt32>
    }

    /// The first component that keeps `identity` from reading the last one, and from writing to it if that is `written`;
    /// `nil` when nothing does.
    static func obstacle(_ components: [Component], for identity: Identity, written: Bool = false) -> Component? {
        guard identity.user != 0 else { return nil }
        for (index, component) in components.enumerated() {
            let isLast = index == components.count - 1
            let needed: UInt32 = isLast ? (component.isDirectory ? 5 : 4) | (written ? 2 : 0) : 1
            let shift: UInt32 =
                component.user == identity.user ? 6 : identity.groups.contains(component.group) ? 3 : 0
            if component.mode >> shift & needed != needed { return component }
        }
        return nil
    }

    /// Reads user and groups out of `/proc/<pid>/status` (proc(5)): effective user, effective and supplementary groups.
    static func identity(status text: String) -> Identity? {
        var user: UInt32?
        var groups: Set<UInt32> = []
        for line in text.split(separator: "\n") {
            let fields = line.split { $0 == "\t" || $0 == " " }
            switch fields.first {
            case "Uid:" where fields.count > 2: user = UInt32(fields[2])
            case "Gid:" where fields.count > 2: UInt32(fields[2]).map { _ = groups.insert($0) }
            case "Groups:": groups.formUnion(fields.dropFirst().compactMap { UInt32($0) })
            default: continue
            }
        }
        return user.map { Identity(user: $0, groups: groups) }
    }
}
