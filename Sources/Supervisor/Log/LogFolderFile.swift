import Glibc
import LinuxSystem

/// A file of the folder, by its name: `api.log`, `api.log.1`, `api.log.1.gz`, `api.log.1.gz.tmp`, and
/// `api.log.0` for a moment.
struct LogFolderFile: Equatable {
    var name: String
    var owner: String
    var isCurrent: Bool
    var size = 0
    /// Of its last change, nanoseconds since 1970.
    var time = 0

    /// `nil`: ours have other names.
    init?(name: String) {
        var rest = name[...]
        for end in [".tmp", ".gz"] where rest.hasSuffix(end) { rest = rest.dropLast(end.count) }
        let isWhole = rest.endIndex == name.endIndex
        if let dot = rest.lastIndex(of: "."), let number = Int(rest[rest.index(after: dot)...]), number >= 0 {
            rest = rest[..<dot]
            isCurrent = false
        } else {
            guard isWhole else { return nil }
            isCurrent = true
        }
        guard rest.hasSuffix(".log"), rest.count > 4 else { return nil }
        self.name = name
        owner = String(rest.dropLast(4))
    }

    /// Files that have names as ours have, whoever wrote them.
    static func all(in folder: String) -> [Self] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var files: [Self] = []
        while let entry = readdir(directory) {
            let name = ProcFile.name(of: entry)
            guard var file = Self(name: name) else { continue }
            var status = stat()
            guard lstat("\(folder)/\(file.name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            file.size = Int(status.st_size)
            file.time = Int(status.st_mtim.tv_sec) * 1_000_000_000 + Int(status.st_mtim.tv_nsec)
            files.append(file)
        }
        return files
    }
}
