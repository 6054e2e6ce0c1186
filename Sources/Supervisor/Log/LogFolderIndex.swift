import Glibc
import LinuxSystem
import Model

/// Whose files in a log folder are wsd's: those of the names in a small file there. Other files may have such names, too, in
/// `/var/log` for example; they are neither written to nor removed.
struct LogFolderIndex {
    static let fileName = ".wsd-logs"
    /// Bytes.
    static let sizeMax = 1 << 20
    private static let head = """
        # Names of the log files in this folder that are wsd's: api is api.log, api.log.1.gz and so on.
        # wsd writes to no others and removes no others.

        """

    private(set) var names: Set<String> = []
    private let folder: String
    private var path: String { "\(folder)/\(Self.fileName)" }

    /// Of a folder without such a file no file is ours.
    ///
    /// - Throws: a sentence.
    init(folder: String) throws(LogFolderTrouble) {
        self.folder = folder
        let descriptor = open("\(folder)/\(Self.fileName)", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return }
            throw LogFolderTrouble("\(Self.fileName) there cannot be read (\(String(cString: strerror(errno))))")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count <= Self.sizeMax {
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw LogFolderTrouble("\(Self.fileName) there cannot be read (\(String(cString: strerror(errno))))")
            }
            guard count > 0 else {
                names = Set(bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) })
                    .filter { $0 == LogFolder.own || ProgramConfiguration.isName($0) }
                return
            }
            bytes += piece[..<count]
        }
        throw LogFolderTrouble("\(Self.fileName) there is too large")
    }

    func has(_ file: LogFolderFile) -> Bool { names.contains(file.owner) }

    /// Before the first file of that name is made.
    ///
    /// - Throws: a sentence: there is one that is another's, or the name cannot be noted.
    mutating func add(_ name: String) throws(LogFolderTrouble) {
        guard !names.contains(name) else { return }
        let files = LogFolderFile.all(in: folder)
        if let other = files.first(where: { $0.owner == name }) {
            throw LogFolderTrouble("\(other.name) there is not wsd's: move it away, or choose another folder")
        }
        // Names without files are let go of, else there were ever more.
        var names = names.intersection(files.map(\.owner))
        names.insert(name)
        try save(names)
        self.names = names
    }

    /// Whole, or not at all: half a name would be another's.
    private func save(_ names: Set<String>) throws(LogFolderTrouble) {
        let fresh = "\(path).new"
        unlink(fresh)
        let descriptor = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o640)
        var error = descriptor < 0 ? errno : 0
        if descriptor >= 0 {
            let text = Array((Self.head + names.sorted().map { $0 + "\n" }.joined()).utf8)
            error = text.withUnsafeBytes { FileOutput.writeAll($0[...], to: descriptor) } ?? 0
            if error == 0, fsync(descriptor) != 0 { error = errno }
            close(descriptor)
            if error == 0, rename(fresh, path) != 0 { error = errno }
        }
        guard error != 0 else { return }
        unlink(fresh)
        throw LogFolderTrouble("\(Self.fileName) there cannot be written (\(String(cString: strerror(error))))")
    }
}

/// What is wrong with a log folder, as it follows “cannot be written:”.
struct LogFolderTrouble: Error, Equatable {
    var reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}
