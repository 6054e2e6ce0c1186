import Glibc

/// The directory of the database: made, checked, and held by one process at a time.
final class HistoryDirectory {
    /// Damaged databases kept beside the good one.
    static let maxBroken = 9
    /// Between two attempts at the lock.
    private static let lockPoll: UInt32 = 10_000

    let path: String
    /// -1: let go.
    private var lock: Int32

    var database: String { path + "/history.sqlite" }

    /// Makes the directory (mode 0700; those above it 0755) and takes its lock.
    ///
    /// A hub that was killed lets go of the lock when the kernel is through with it: blocks until then, at most for
    /// `lockTimeout`.
    init(_ path: String, lockTimeout: Duration) throws(HistoryStoreError) {
        self.path = path
        try Self.make(path)
        let file = path + "/history.lock"
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .directory(path, reason: Self.reason()) }
        let end = ContinuousClock.now + lockTimeout
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                let reason = Self.reason()
                close(descriptor)
                throw .directory(path, reason: reason)
            }
            guard ContinuousClock.now < end else {
                let owner = Self.owner(descriptor)
                close(descriptor)
                throw .inUse(path, process: owner)
            }
            usleep(Self.lockPoll)
        }
        lock = descriptor
        Self.write("\(getpid())\n", to: descriptor)
        try claim()
    }

    /// Makes an empty database file for nobody else's eyes; what SQLite puts beside it has the same mode. systemd's state
    /// directories may be entered by everybody.
    private func claim() throws(HistoryStoreError) {
        let descriptor = open(database, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .directory(path, reason: Self.reason()) }
        close(descriptor)
    }

    deinit {
        unlock()
    }

    /// The next process may have the database. Again: nothing.
    func unlock() {
        guard lock >= 0 else { return }
        close(lock)
        lock = -1
    }

    /// Renames a damaged database and what belongs to it to `history.sqlite.broken-<n>`; returns its new path.
    func moveAside() throws(HistoryStoreError) -> String {
        guard let number = (1...Self.maxBroken).first(where: { access("\(database).broken-\($0)", F_OK) != 0 }) else {
            throw .tooManyBroken(database)
        }
        let broken = "\(database).broken-\(number)"
        guard rename(database, broken) == 0 else { throw .directory(path, reason: Self.reason()) }
        // The log belongs to the file it was written for: beside a new one it would be its ruin.
        for suffix in ["-wal", "-shm"] where rename(database + suffix, broken + suffix) != 0 && errno != ENOENT {
            throw .directory(path, reason: Self.reason())
        }
        try claim()
        return broken
    }

    /// Whether the directory can be made and its files written; what is made for that is removed again. The lock is not
    /// taken: a service that has it goes on.
    static func check(_ path: String) throws(HistoryStoreError) {
        var made: [String] = []
        defer { for folder in made.reversed() { rmdir(folder) } }
        try make(path, noting: &made)
        for name in ["/history.lock", "/history.sqlite"] where access(path + name, R_OK | W_OK) != 0 && errno != ENOENT
        {
            throw .directory(path, reason: reason())
        }
    }

    private static func make(_ path: String) throws(HistoryStoreError) {
        var made: [String] = []
        try make(path, noting: &made)
    }

    /// - Parameter made: the folders that were not there before, in order.
    private static func make(_ path: String, noting made: inout [String]) throws(HistoryStoreError) {
        var folder = path.hasPrefix("/") ? "" : "."
        let parts = path.split(separator: "/")
        for (index, part) in parts.enumerated() {
            folder += "/" + part
            let isLast = index == parts.count - 1
            guard mkdir(folder, isLast ? 0o700 : 0o755) != 0 else {
                made.append(folder)
                continue
            }
            // Above a directory that is there, it need not be allowed to make one.
            guard errno != EEXIST, isLast || access(folder, F_OK) != 0 else { continue }
            throw .directory(path, reason: reason())
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else { throw .directory(path, reason: reason()) }
    }

    private static func write(_ text: String, to descriptor: Int32) {
        // Only a hint for people: nothing depends on it.
        guard ftruncate(descriptor, 0) == 0 else { return }
        _ = text.utf8CString.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count - 1, 0) }
    }

    private static func owner(_ descriptor: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }

    private static func reason() -> String { String(cString: strerror(errno)) }
}

/// This boot of the machine, as the kernel names it.
enum MachineBoot {
    /// `nil`: it does not say.
    static func current() -> String? {
        let descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return String(decoding: bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}
