import Glibc

extension FileWatch {
    /// What comes and goes in a folder.
    private static let moves =
        UInt32(IN_CREATE) | UInt32(IN_DELETE) | UInt32(IN_MOVED_FROM) | UInt32(IN_MOVED_TO) | UInt32(IN_MOVE_SELF)
    private static let writes = UInt32(IN_MODIFY) | UInt32(IN_CLOSE_WRITE)

    /// Watches a root and what is below it. Again, too: what is watched already stays so.
    ///
    /// - Returns: whether it is there.
    func establish(_ index: Int) -> Bool {
        let path = roots[index].path
        // A link, or one above it: what it leads to may change, too.
        let entries = [path] + [Self.real(path)].compactMap { $0 }.filter { $0 != path }
        for entry in entries { watchEntry(entry, of: index, Self.moves) }
        var status = stat()
        guard stat(path.isEmpty ? "/" : path, &status) == 0 else { return false }
        if status.st_mode & S_IFMT == S_IFDIR {
            scan(path, root: index)
        } else {
            for entry in entries { watchEntry(entry, of: index, Self.moves | Self.writes) }
        }
        return true
    }

    /// Whether events will tell of the root, or of its coming.
    func isSeen(_ index: Int) -> Bool {
        let path = roots[index].path
        return folders.values.contains { $0.names.values.contains(index) || $0.root != nil && $0.path == path }
    }

    /// Watches the folder in which a root is.
    private func watchEntry(_ path: String, of index: Int, _ events: UInt32) {
        guard let slash = path.lastIndex(of: "/"),
            let watch = add(String(path[..<slash]), events, isNeeded: false)
        else { return }
        folders[watch]?.names[String(path[path.index(after: slash)...])] = index
    }

    /// Watches a folder and those below it.
    func scan(_ path: String, root: Int) {
        var waiting = [path]
        var entries = 0
        while let path = waiting.popLast() {
            // First the watch: what comes after the look is told then.
            let link = path == roots[root].path ? 0 : UInt32(IN_DONT_FOLLOW)
            guard let watch = add(path, Self.moves | Self.writes | link) else { continue }
            if folders[watch]?.root == nil {
                folders[watch]?.root = root
                folders[watch]?.path = path
            }
            guard let directory = opendir(path.isEmpty ? "/" : path) else {
                if errno == EACCES { cannot(see: path) }
                continue
            }
            defer { closedir(directory) }
            while let entry = readdir(directory) {
                entries += 1
                guard entries <= Self.entryLimit else {
                    problem =
                        problem ?? "More than \(Self.entryLimit) files are below \(roots[root].path): \(Self.advice)"
                    return
                }
                guard entry.pointee.d_type == DT_DIR || entry.pointee.d_type == DT_UNKNOWN else { continue }
                let name = ProcFile.name(of: entry)
                guard name != ".", name != ".." else { continue }
                let child = "\(path)/\(name)"
                if !ignored.contains(child, below: roots[root].path, base: base) { waiting.append(child) }
            }
        }
    }

    /// - Returns: `nil` when there is no such folder any more, or it cannot be watched (``problem``).
    private func add(_ path: String, _ events: UInt32, isNeeded: Bool = true) -> CInt? {
        // A folder may be watched for more than one reason.
        let mask = events | UInt32(IN_ONLYDIR) | UInt32(IN_MASK_ADD)
        let watch = inotify_add_watch(descriptor, path.isEmpty ? "/" : path, mask)
        if watch >= 0, folders[watch] != nil { return watch }
        if watch >= 0, folders.count >= limit {
            inotify_rm_watch(descriptor, watch)
            problem = problem ?? "More than \(limit) folders are to be watched, from \(path) on: \(Self.advice)"
            return nil
        }
        if watch >= 0 {
            folders[watch] = Folder(path: path)
            return watch
        }
        switch errno {
        case ENOSPC:
            problem =
                problem
                ?? "No more folders can be watched, from \(path) on: raise fs.inotify.max_user_watches (sysctl(8))"
        // The folder around a folder that is named may be nobody's to read.
        case EACCES where isNeeded: cannot(see: path)
        // Gone again, or no folder.
        default: break
        }
        return nil
    }

    private func cannot(see path: String) {
        problem = problem ?? "\(path) cannot be watched: \(SystemError.reason(of: EACCES))"
    }

    /// What was at a path is elsewhere now.
    func forget(_ path: String) {
        for (watch, folder) in folders where folder.path == path || folder.path.hasPrefix(path + "/") { remove(watch) }
    }

    func remove(_ watch: CInt) {
        inotify_rm_watch(descriptor, watch)
        drop(watch)
    }

    /// A watch is no more.
    func drop(_ watch: CInt) {
        guard let folder = folders.removeValue(forKey: watch) else { return }
        for index in folder.names.values where !isSeen(index) { roots[index].isLost = true }
        if let root = folder.root, folder.path == roots[root].path, !isSeen(root) { roots[root].isLost = true }
    }

    private static let advice = "changes in the rest are not seen. Watch less, or have more ignored (watchIgnore)."

    private static func real(_ path: String) -> String? {
        guard let found = realpath(path, nil) else { return nil }
        defer { free(found) }
        return String(cString: found)
    }
}
