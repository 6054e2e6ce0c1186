import Glibc

/// What the doctor sees of this machine by itself.
enum HostFacts {
    /// Bytes of a file of `/proc` that are read; its tables of sockets grow with the connections.
    private static let fileLimit = 64 * 1024 * 1024

    /// The text of a file; `nil` when it cannot be read.
    static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count < fileLimit {
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            bytes += piece[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func descriptorLimits(of pid: Int32) -> DescriptorLimits? {
        guard let text = text("/proc/\(pid)/limits") else { return nil }
        return DescriptorLimits(limits: text, used: names(in: "/proc/\(pid)/fd")?.count)
    }

    static func ownDescriptorLimits() -> DescriptorLimits? { descriptorLimits(of: getpid()) }

    static func portTable() -> PortTable {
        var table = PortTable()
        for path in ["/proc/net/tcp", "/proc/net/tcp6"] { text(path).map { table.add($0) } }
        return table
    }

    /// The processes that hold one of these sockets, as far as the caller may look (proc(5): own processes, or root).
    static func holders(of inodes: Set<UInt64>) -> [SocketHolder] {
        let links = Set(inodes.map { "socket:[\($0)]" })
        var holders: [SocketHolder] = []
        for pid in (names(in: "/proc") ?? []).compactMap({ Int32($0) }).sorted() {
            let directory = "/proc/\(pid)/fd"
            let holds = (names(in: directory) ?? []).contains { name in
                link("\(directory)/\(name)").map(links.contains) ?? false
            }
            guard holds else { continue }
            let name = text("/proc/\(pid)/comm").map { String($0.prefix { $0 != "\n" }) } ?? "?"
            holders.append(SocketHolder(pid: pid, name: name))
        }
        return holders
    }

    /// Every component of an absolute path, symbolic links followed; as many as exist and can be seen.
    static func components(of path: String) -> [FileAccess.Component] {
        var components: [FileAccess.Component] = []
        var current = ""
        for name in [""] + path.split(separator: "/").map(String.init) {
            current = name.isEmpty ? "/" : current == "/" ? "/\(name)" : "\(current)/\(name)"
            var status = stat()
            guard stat(current, &status) == 0 else { break }
            components.append(
                FileAccess.Component(
                    path: current, user: status.st_uid, group: status.st_gid, mode: status.st_mode & 0o7777,
                    isDirectory: status.st_mode & S_IFMT == S_IFDIR))
        }
        return components
    }

    static func identity(of pid: Int32) -> FileAccess.Identity? {
        text("/proc/\(pid)/status").flatMap(FileAccess.identity)
    }

    /// The environment a process was started with (proc(5)); `nil` when the caller may not look.
    static func environment(of pid: Int32) -> [String: String]? {
        text("/proc/\(pid)/environ").map { text in
            text.split(separator: "\0").reduce(into: [:]) { result, entry in
                guard let equals = entry.firstIndex(of: "=") else { return }
                result[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
            }
        }
    }

    /// Bytes of a file; `nil` when there is none, or it cannot be seen.
    static func size(of path: String) -> Int? {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    /// Bytes that users other than root can still write on the file system of a path (statvfs(3)).
    static func freeSpace(at path: String) -> Int? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        let (bytes, overflow) = Int(clamping: status.f_bavail).multipliedReportingOverflow(
            by: Int(clamping: status.f_frsize))
        return overflow ? .max : bytes
    }

    static func names(in directory: String) -> [String]? {
        guard let stream = opendir(directory) else { return nil }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    static func link(_ path: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = bytes.withUnsafeMutableBytes { buffer in
            buffer.baseAddress.map { readlink(path, $0, buffer.count) } ?? -1
        }
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
