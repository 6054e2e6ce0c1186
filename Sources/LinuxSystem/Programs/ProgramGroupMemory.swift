import Glibc

// The memory of programs' control groups (Linux' cgroup-v2.rst), which the kernel counts only where that is turned on above them.

extension ProgramGroups {
    /// Rounds of ``vacate(_:root:)``: each moves what was forked during the one before.
    static let maxMoves = 8

    /// Has the kernel count the memory of every group below `folder`, where it may. A group whose own processes are counted with
    /// it (“no internal processes”) cannot do that: then this process and its descendants go one down, to ``ControlGroups/ownLeaf``.
    static func countMemory(in folder: String) {
        func lists(_ file: String) -> Bool {
            ProcFile.text("\(folder)/\(file)")?.split(whereSeparator: \.isWhitespace).contains("memory") ?? false
        }
        guard lists("cgroup.controllers"), !lists("cgroup.subtree_control") else { return }
        if write("+memory", to: "\(folder)/cgroup.subtree_control") { return }
        guard errno == EBUSY, vacate(folder, root: getpid()) else { return }
        _ = write("+memory", to: "\(folder)/cgroup.subtree_control")
    }

    /// Moves a process and its descendants from a group to its leaf.
    ///
    /// - Returns: the group has no processes of its own any more; `false` at once, with nothing moved, if it has strangers.
    static func vacate(_ folder: String, root: Int32) -> Bool {
        let leaf = "\(folder)/\(ControlGroups.ownLeaf)"
        guard mkdir(leaf, 0o755) == 0 || errno == EEXIST else { return false }
        for _ in 0..<maxMoves {
            guard let list = ProcFile.text("\(folder)/cgroup.procs", limit: ProgramGroup.maxList) else { return false }
            let pids = list.split(separator: "\n").compactMap { Int32($0) }
            guard !pids.isEmpty else { return true }
            let entries = ProcessTable.read().entries
            // 0: one that cannot be seen from here.
            guard pids.allSatisfy({ entries[$0] == nil && $0 > 0 || descends($0, from: root, entries) }) else {
                return false
            }
            for pid in pids { _ = write("\(pid)", to: "\(leaf)/cgroup.procs") }
        }
        return false
    }

    private static func descends(
        _ pid: Int32, from root: Int32, _ entries: [Int32: ProcessTable.Entry]
    ) -> Bool {
        var pid = pid
        // Read while processes come and go: parents might seem to go round.
        for _ in 0...entries.count {
            if pid == root { return true }
            guard let parent = entries[pid]?.parent, parent > 0 else { return false }
            pid = parent
        }
        return false
    }

    private static func write(_ text: String, to path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        let count = Glibc.write(descriptor, text, text.utf8.count)
        let code = errno
        close(descriptor)
        errno = code
        return count == text.utf8.count
    }
}

extension ProgramGroup {
    /// Bytes of `memory.stat`.
    private static let maxStatistics = 64 * 1024

    /// What its processes hold for themselves or share in memory (`anon` and `shmem`), bytes: it stays until they let it go.
    /// Pages of files (the rest of `memory.current`) go as soon as they are needed elsewhere. `nil`: not counted here.
    var memory: Int? {
        guard let anonymous = count("anon", in: "memory.stat") else { return nil }
        return anonymous &+ (count("shmem", in: "memory.stat") ?? 0)
    }

    /// Processes in it and below it that the kernel has killed for want of memory; `nil`: not counted here.
    package var memoryKills: Int? { count("oom_kill", in: "memory.events") }

    /// Of a file with lines of a name and a number.
    func count(_ name: String, in file: String) -> Int? {
        for line in (ProcFile.text("\(folder)/\(file)", limit: Self.maxStatistics) ?? "").split(separator: "\n")
        where line.hasPrefix("\(name) ") {
            return Int(line.dropFirst(name.utf8.count + 1))
        }
        return nil
    }
}
