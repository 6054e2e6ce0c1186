import Glibc

/// Files and folders, with everything below them, whose changes are told (inotify(7)). Symbolic links are not followed, but for
/// one that is named itself.
///
/// Only folders are watched: a file by the folder it is in, so that it may be replaced (as editors do it), and so is a folder
/// that is named. Not to be used by two threads at once.
package final class FileWatch {
    /// Folders, for one instance.
    package static let watchLimit = 8192
    /// Entries of folders that one look at them goes through.
    package static let entryLimit = 200_000
    /// Paths that one call returns.
    package static let pathsAtOnce = 16
    /// Bytes of events taken at once; the longest event has 272.
    package static let readSize = 16 * 1024

    /// What nobody means: version control, dependencies, and what editors, interpreters and the program itself leave behind.
    package static let alwaysIgnored = [
        ".git", ".hg", ".svn", "node_modules", "__pycache__", "*.pyc", "*~", "*.swp", "*.swx", ".#*", "#*#", "4913",
        ".DS_Store", "*.log", "*.pid",
    ]

    struct Root {
        /// Absolute, without a slash at the end; empty: `/`.
        var path: String
        /// The folder through which it would be seen to come, to go and to be replaced is gone itself.
        var isLost = false
    }

    /// A folder with a watch.
    struct Folder {
        var path: String
        /// The root that it belongs to; `nil`: only `names` count.
        var root: Int?
        /// Entries that are roots.
        var names: [String: Int] = [:]
    }

    let descriptor: CInt
    let base: String
    let limit: Int
    let ignored: IgnoredPaths
    var roots: [Root]
    var folders: [CInt: Folder] = [:]
    var changed: [String] = []
    /// What cannot be seen, in a sentence; `nil`: all is watched.
    package internal(set) var problem: String?

    /// Looks through all folders: this may take a while.
    ///
    /// - Parameters:
    ///   - paths: files and folders; relative ones from `base`.
    ///   - base: `nil`, or what is missing of its path: the working directory.
    ///   - ignore: see ``GlobPattern``; beside ``alwaysIgnored``. From `base`, or from the folder that is watched. What stands
    ///     in `paths` is never ignored itself.
    package init(
        _ paths: [String], base: String?, ignore: [String] = [], limit: Int = watchLimit
    ) throws(FileWatchError) {
        self.base = Self.absolute(base ?? ".", from: Self.workingDirectory)
        self.limit = limit
        ignored = IgnoredPaths(Self.alwaysIgnored + ignore)
        roots = []
        descriptor = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        guard descriptor >= 0 else {
            throw FileWatchError(
                errno == EMFILE
                    ? "No more files can be watched: raise fs.inotify.max_user_instances (sysctl(8))"
                    : SystemError(call: "inotify_init1", code: errno).description)
        }
        for path in paths.map({ Self.absolute($0, from: self.base) }) where !roots.contains(where: { $0.path == path })
        {
            roots.append(Root(path: path))
        }
        for (index, root) in roots.enumerated() {
            guard establish(index) else {
                throw FileWatchError("\(root.path) is to be watched, but there is no such file or folder")
            }
            guard isSeen(index) || problem != nil else {
                throw FileWatchError("\(root.path) cannot be watched: \(SystemError.reason(of: EACCES))")
            }
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// A descriptor of the same instance for whoever waits for it to become readable; belongs to the caller.
    package func waitable() throws(SystemError) -> CInt {
        try SystemError.check("dup", "inotify", fcntl(descriptor, F_DUPFD_CLOEXEC, 3))
    }

    /// A root cannot be seen to come back by events: call ``retry()`` from time to time.
    package var isBlind: Bool { roots.contains(where: \.isLost) }

    /// Looks whether lost roots are there again.
    ///
    /// - Returns: those that are.
    package func retry() -> [String] {
        findLost()
        return takeChanged()
    }

    /// Reads what waits at the descriptor.
    ///
    /// - Returns: see ``take(_:)``.
    package func changes() -> [String] {
        var bytes = [UInt8](repeating: 0, count: Self.readSize)
        while true {
            let count = read(descriptor, &bytes, bytes.count)
            guard count > 0 else { break }
            bytes.withUnsafeBytes { process(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
        return takeChanged()
    }

    /// Takes events that were read from the descriptor.
    ///
    /// - Returns: what has changed, once each and not more than ``pathsAtOnce``; from `base` where it is below it.
    package func take(_ events: UnsafeRawBufferPointer) -> [String] {
        process(events)
        return takeChanged()
    }

    private func process(_ events: UnsafeRawBufferPointer) {
        let header = MemoryLayout<inotify_event>.size
        var at = 0
        while events.count - at >= header {
            let watch = events.loadUnaligned(fromByteOffset: at, as: CInt.self)
            let mask = events.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self)
            let length = Int(events.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self))
            guard events.count - at - header >= length else { return }
            let name = events[(at + header)..<(at + header + length)].prefix { $0 != 0 }
            came(watch, mask, String(decoding: name, as: UTF8.self))
            at += header + length
        }
    }

    private func came(_ watch: CInt, _ mask: UInt32, _ name: String) {
        func has(_ flag: Int) -> Bool { mask & UInt32(truncatingIfNeeded: flag) != 0 }
        if has(Int(IN_Q_OVERFLOW)) { return lookAgain() }
        if has(Int(IN_IGNORED)) { return drop(watch) }
        guard let folder = folders[watch] else { return }
        if name.isEmpty {
            // Moved elsewhere, and all in it.
            guard has(Int(IN_MOVE_SELF)), !folder.names.isEmpty else { return }
            remove(watch)
            for index in folder.names.values { forget(roots[index].path) }
            return
        }
        let path = "\(folder.path)/\(name)"
        let isNew = has(Int(IN_CREATE)) || has(Int(IN_MOVED_TO))
        let isGone = has(Int(IN_MOVED_FROM))
        if let root = folder.names[name] {
            note(roots[root].path)
            if isGone || isNew { forget(roots[root].path) }
            if isNew { _ = establish(root) }
        } else if let root = folder.root, !ignored.contains(path, below: roots[root].path, base: base) {
            note(path)
            guard has(Int(IN_ISDIR)) else { return }
            if isGone { forget(path) }
            if isNew { scan(path, root: root) }
        }
        if isNew { findLost() }
    }

    private func findLost() {
        for index in roots.indices where roots[index].isLost {
            roots[index].isLost = false
            if establish(index) { note(roots[index].path) }
            roots[index].isLost = !isSeen(index)
        }
    }

    /// Events were lost, and anything may have happened.
    private func lookAgain() {
        for index in roots.indices {
            note(roots[index].path)
            _ = establish(index)
        }
    }

    func note(_ path: String) {
        let path = path.hasPrefix(base + "/") ? String(path.dropFirst(base.count + 1)) : path.isEmpty ? "/" : path
        guard changed.count < Self.pathsAtOnce, !changed.contains(path) else { return }
        changed.append(path)
    }

    private func takeChanged() -> [String] {
        defer { changed = [] }
        return changed
    }

    /// Without `.`, double slashes and a slash at the end.
    private static func absolute(_ path: String, from base: String) -> String {
        (path.hasPrefix("/") ? path : "\(base)/\(path)").split(separator: "/").lazy.filter { $0 != "." }
            .map { "/" + $0 }.joined()
    }

    private static var workingDirectory: String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }
}

extension FileWatch {
    /// Makes one on a thread of its own.
    ///
    /// - Parameter made: called once, there, or here when there is no such thread.
    package static func start(
        _ paths: [String], base: String?, ignore: [String],
        made: @escaping @Sendable (sending Result<FileWatch, FileWatchError>) -> Void
    ) {
        do {
            try Threads.start(named: "wsd-watch") {
                do throws(FileWatchError) {
                    made(.success(try FileWatch(paths, base: base, ignore: ignore)))
                } catch {
                    made(.failure(error))
                }
            }
        } catch {
            made(.failure(FileWatchError(error.description)))
        }
    }
}

/// Why something cannot be watched: a sentence.
package struct FileWatchError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Which paths do not count.
struct IgnoredPaths {
    private let patterns: [(pattern: GlobPattern, isAbsolute: Bool)]

    init(_ texts: [String]) {
        patterns = texts.map { (GlobPattern($0), $0.hasPrefix("/")) }
    }

    /// - Parameter root: a folder that is watched, above `path`.
    func contains(_ path: String, below root: String, base: String) -> Bool {
        let below = Self.names(path.dropFirst(root.count))
        let fromBase = path.hasPrefix(base + "/") ? Self.names(path.dropFirst(base.count)) : nil
        return patterns.contains { pattern, isAbsolute in
            if pattern.matches(below) { return true }
            if pattern.isName { return false }
            return fromBase.map(pattern.matches) == true || isAbsolute && pattern.matches(Self.names(path[...]))
        }
    }

    private static func names(_ path: Substring) -> [String] {
        path.split(separator: "/").map(String.init)
    }
}
