import Glibc

/// Reads the configuration file, if there is one.
struct FileReader {
    /// Largest file, bytes. A real one has a few thousand.
    static let sizeMax = 1 << 20

    /// What was found.
    struct Found {
        var source: SourceText
        /// Absolute.
        var path: String
    }

    /// Reads `path`, or the first of `candidates` that exists; `nil` when none does. Throws what stops it from being read.
    static func read(
        explicit path: String?, candidates: [(path: String, name: String)], folder: String
    ) throws(ConfigurationProblem) -> Found? {
        if let path {
            guard path.hasPrefix("/") || !folder.isEmpty else {
                throw ConfigurationProblem(place: path, message: "the working folder is gone; name an absolute path")
            }
            let absolute = path.hasPrefix("/") ? path : "\(base(folder))\(path)"
            guard let bytes = try read(absolute, name: path) else {
                throw ConfigurationProblem(place: path, message: "there is no such file")
            }
            return Found(source: try SourceText(name: path, bytes: bytes), path: absolute)
        }
        for candidate in candidates {
            guard let bytes = try read(candidate.path, name: candidate.name) else { continue }
            return Found(source: try SourceText(name: candidate.name, bytes: bytes), path: candidate.path)
        }
        return nil
    }

    /// The usual places, first one first.
    static func candidates(environment: [String: String], folder: String) -> [(path: String, name: String)] {
        var places: [(path: String, name: String)] = []
        if !folder.isEmpty { places.append((path: "\(base(folder))wsd.yaml", name: "wsd.yaml")) }
        // The XDG base directory specification ignores relative values.
        if let home = environment["XDG_CONFIG_HOME"], home.hasPrefix("/") {
            places.append((path: "\(home)/wsd/wsd.yaml", name: "\(home)/wsd/wsd.yaml"))
        } else if let home = environment["HOME"], home.hasPrefix("/") {
            places.append((path: "\(home)/.config/wsd/wsd.yaml", name: "\(home)/.config/wsd/wsd.yaml"))
        }
        places.append((path: "/etc/wsd/wsd.yaml", name: "/etc/wsd/wsd.yaml"))
        return places
    }

    private static func base(_ folder: String) -> String { folder.hasSuffix("/") ? folder : "\(folder)/" }

    /// `nil` when nothing is there.
    private static func read(_ path: String, name: String) throws(ConfigurationProblem) -> [UInt8]? {
        guard !path.utf8.contains(0) else { throw ConfigurationProblem(place: name, message: "there is no such file") }
        // Non-blocking: opening a FIFO would wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw unreadable(name)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(name) }
        switch status.st_mode & S_IFMT {
        case S_IFREG, S_IFCHR: break
        case S_IFDIR:
            throw ConfigurationProblem(place: name, message: "is a folder; name the file in it")
        default:
            throw ConfigurationProblem(place: name, message: "is not a regular file; a reload could not read it again")
        }
        return try readAll(descriptor, name: name)
    }

    private static func readAll(_ descriptor: Int32, name: String) throws(ConfigurationProblem) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw unreadable(name)
            }
            bytes += chunk[..<count]
            guard bytes.count <= sizeMax else {
                throw ConfigurationProblem(
                    place: name, message: "is larger than 1 MiB; that is no configuration of wsd")
            }
        }
    }

    private static func unreadable(_ name: String) -> ConfigurationProblem {
        let number = errno
        let reason = String(cString: strerror(number))
        let advice =
            number == EACCES ? "; its permissions, and those of the folders above, must let this user read it" : ""
        return ConfigurationProblem(place: name, message: "cannot be read: \(reason)\(advice)")
    }
}
