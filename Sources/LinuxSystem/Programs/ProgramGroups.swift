import Glibc

/// Makes control groups of version 2 (cgroups(7)) below this process's own, one for each process of a program: nothing that came
/// from it gets out unless it may write there.
package struct ProgramGroups: Sendable {
    private let folder: String
    private let token: String

    /// `nil`: there is no such hierarchy here, or this process may make no group in it.
    ///
    /// - Parameters:
    ///   - token: tells the groups of this supervisor from another's; see ``ProgramTags``.
    ///   - root: put before every path; another than the empty one for tests.
    package init?(token: String, root: String = "") {
        let folders = ControlGroups.find(root: root).unified.compactMap(\.first).map { root + $0 }
        let usable = folders.first { folder in
            // To move a process takes writing to the group where it is, too.
            guard access("\(folder)/cgroup.procs", W_OK) == 0, mkdir("\(folder)/wsd.\(token)", 0o755) == 0 else {
                return false
            }
            defer { rmdir("\(folder)/wsd.\(token)") }
            return access("\(folder)/wsd.\(token)/cgroup.procs", W_OK) == 0
        }
        guard let usable else { return nil }
        folder = usable
        self.token = token
        Self.countMemory(in: usable)
    }

    /// Makes an empty group.
    ///
    /// - Parameter label: part of its name, and no other's of this supervisor: `api.2.17`.
    package func make(_ label: String) throws(SystemError) -> ProgramGroup {
        let path = "\(folder)/wsd.\(label).\(token)"
        try SystemError.check("make", path, mkdir(path, 0o755))
        return ProgramGroup(folder: path)
    }
}

/// One such group.
package struct ProgramGroup: Hashable, Sendable {
    /// Groups that a program makes below its own are looked at to this depth.
    static let maxDepth = 8
    /// Bytes of one list of processes.
    static let maxList = 1024 * 1024

    /// For ``ProgramLaunch/controlGroup``.
    package let folder: String

    package init(folder: String) {
        self.folder = folder
    }

    /// Whether a living process is in it or below it; `nil`: the group is gone.
    package var isPopulated: Bool? {
        ProcFile.text("\(folder)/cgroup.events").map { $0.split(separator: "\n").contains("populated 1") }
    }

    /// SIGKILL to all that is in it and below it, at once; nothing where the kernel cannot (before 5.14).
    package func kill() {
        let descriptor = open("\(folder)/cgroup.kill", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = write(descriptor, "1", 1)
        close(descriptor)
    }

    /// Those in it and below it.
    var processes: [Int32] {
        folders(of: folder, depth: 0).flatMap { folder in
            (ProcFile.text("\(folder)/cgroup.procs", limit: Self.maxList) ?? "").split(separator: "\n").compactMap {
                Int32($0)
            }
        }
    }

    /// Of all that ever were in it; `nil`: not known.
    var cpuTime: Duration? { count("usage_usec", in: "cpu.stat").map { .microseconds($0) } }

    /// Removes it and what is below it. Nothing while a process is in it.
    package func remove() {
        for folder in folders(of: folder, depth: 0).reversed() { rmdir(folder) }
    }

    /// Itself first.
    private func folders(of folder: String, depth: Int) -> [String] {
        // Its own two links (inode(7)) and none from a folder in it: that need not be listed.
        var status = stat()
        if lstat(folder, &status) == 0, status.st_nlink == 2 { return [folder] }
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var found = [folder]
        while depth < Self.maxDepth, let entry = readdir(directory) {
            let name = ProcFile.name(of: entry)
            guard entry.pointee.d_type == UInt8(DT_DIR), name != ".", name != ".." else { continue }
            found += folders(of: "\(folder)/\(name)", depth: depth + 1)
        }
        return found
    }
}
