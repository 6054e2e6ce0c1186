import Glibc
import LinuxSystem
import Model
import Synchronization

/// When a log file is replaced by an empty one, and what becomes of the old.
struct LogRotation: Sendable, Equatable {
    /// Bytes; a file is rotated before the write that would exceed it.
    var maxSize: Int
    /// Seconds; a file whose first line is older is rotated before the next write; 0: never.
    var maxAge = 0.0
    /// Rotated files; 0 starts the one file anew.
    var keep: Int
    var compress = false

    init(maxSize: Int, maxAge: Double = 0, keep: Int, compress: Bool = false) {
        (self.maxSize, self.maxAge, self.keep, self.compress) = (maxSize, maxAge, keep, compress)
    }

    init(_ configuration: LogConfiguration) {
        self.init(
            maxSize: configuration.fileMaxSize, maxAge: configuration.fileMaxAge.inSeconds,
            keep: configuration.fileKeep, compress: configuration.fileCompress)
    }
}

/// A log file that is replaced by an empty one when it has grown above its limit, or is too old: `wsd.log` becomes
/// `wsd.log.1.gz`, that `wsd.log.2.gz`, and so on up to the number of files to keep.
///
/// A file that cannot be opened or written (full disk) costs lines, which are counted; every write tries again. One that is removed
/// is begun anew. One that cannot be compressed stays as it is, without `.gz`. One that cannot be renamed (a mount point, a folder
/// that is not writable) grows to twice its limit, and is then emptied.
final class RotatedFile: LogDestination {
    /// Seconds from one attempt to rotate a file that cannot be renamed to the next.
    static let renamePause = 60.0
    /// What it may grow to meanwhile, in ``LogRotation/maxSize``.
    static let growth = 2

    private struct State {
        var descriptor: Int32 = -1
        var size = 0
        /// No device or pipe, which cannot be replaced.
        var isRegular = false
        /// Time of its first line, seconds since 1970.
        var begun = 0.0
        /// Why it could not be rotated, and when that may be tried again (seconds since 1970).
        var obstacle: (error: Int32, until: Double)?
        var rotation: LogRotation
    }

    /// Apart from the state, which is held while the disk is waited for.
    private struct Report {
        var failures = 0
        var lastError: String?
        var obstacle: String?
    }

    private let path: String
    private let mode: mode_t
    /// It must be a regular file, and no symbolic link.
    private let isPlain: Bool
    private let clock: @Sendable () -> Double
    private let state: Mutex<State>
    private let report = Mutex(Report())

    init(
        path: String, _ rotation: LogRotation, mode: mode_t = 0o640, isPlain: Bool = false,
        clock: @escaping @Sendable () -> Double = Clocks.wallSeconds
    ) {
        self.path = path
        self.mode = mode
        self.isPlain = isPlain
        self.clock = clock
        state = Mutex(State(rotation: rotation))
    }

    deinit {
        state.withLock { Self.close(&$0) }
    }

    /// Writes that failed since this was last asked.
    func takeFailures() -> Int {
        report.withLock { report in
            defer { report.failures = 0 }
            return report.failures
        }
    }

    /// Why the last write failed; `nil`: it did not.
    var trouble: String? { report.withLock { $0.lastError } }

    /// Why it is not rotated; `nil`: nothing is in the way.
    var obstacle: String? { report.withLock { $0.obstacle } }

    func write(_ bytes: UnsafeRawBufferPointer) {
        state.withLock { write(bytes, &$0) }
    }

    func reopen() {
        state.withLock { state in
            Self.close(&state)
            clear(&state)
        }
    }

    func configure(_ rotation: LogRotation) {
        state.withLock { state in
            state.rotation = rotation
            clear(&state)
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, _ state: inout State) {
        var rest = bytes[...]
        // Rotated since the last byte that was written: an empty file has room.
        var isFresh = false
        closeRemoved(&state)
        while !rest.isEmpty {
            if state.descriptor < 0, !open(&state) { return }
            var piece = isTooOld(state) ? rest.prefix(0) : fitting(rest, state)
            if piece.isEmpty {
                if !isFresh, rotate(&state) {
                    isFresh = true
                    continue
                }
                piece = rest
            }
            isFresh = false
            if let error = FileOutput.writeAll(piece, to: state.descriptor) { return fail(error) }
            state.size += piece.count
            rest = rest[piece.endIndex...]
        }
        report.withLock { $0.lastError = nil }
    }

    private func isTooOld(_ state: State) -> Bool {
        state.isRegular && state.size > 0 && state.rotation.maxAge > 0
            && clock() - state.begun >= state.rotation.maxAge
    }

    /// The lines that the file has room for: at least one where it is empty.
    private func fitting(_ bytes: Slice<UnsafeRawBufferPointer>, _ state: State) -> Slice<UnsafeRawBufferPointer> {
        let room = state.rotation.maxSize - state.size
        guard state.isRegular, bytes.count > room else { return bytes }
        let lineFeed = UInt8(ascii: "\n")
        if room > 0, let end = bytes.prefix(room).lastIndex(of: lineFeed) { return bytes[...end] }
        guard state.size == 0 else { return bytes.prefix(0) }
        return bytes.firstIndex(of: lineFeed).map { bytes[...$0] } ?? bytes
    }

    private func open(_ state: inout State) -> Bool {
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (isPlain ? O_NOFOLLOW : 0)
        state.descriptor = Glibc.open(path, flags, mode)
        guard state.descriptor >= 0 else {
            fail(errno)
            return false
        }
        // Only opening must not wait: for the reader of a pipe.
        try? Descriptors.setNonBlocking(state.descriptor, false)
        let end = lseek(state.descriptor, 0, SEEK_END)
        state.size = end > 0 ? Int(end) : 0
        var status = stat()
        state.isRegular = fstat(state.descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        guard state.isRegular || !isPlain else {
            Self.close(&state)
            fail("it is no regular file")
            return false
        }
        state.begun = (state.isRegular && state.size > 0 ? LogFileTime.first(path) : nil) ?? clock()
        return true
    }

    /// Somebody else removed the file: what is written to it is gone.
    private func closeRemoved(_ state: inout State) {
        var status = stat()
        guard state.descriptor >= 0, state.isRegular, fstat(state.descriptor, &status) == 0, status.st_nlink == 0
        else { return }
        Self.close(&state)
    }

    /// Whether it has room now.
    private func rotate(_ state: inout State) -> Bool {
        let now = clock()
        let isAtEnd = state.size >= state.rotation.maxSize &* Self.growth
        guard isAtEnd || now >= state.obstacle?.until ?? now else { return false }
        guard let error = replace(state.rotation) else {
            Self.close(&state)
            clear(&state)
            return true
        }
        // Without files to keep, an empty one is all that is wanted.
        if state.rotation.keep == 0, empty(&state, now) {
            clear(&state)
            return true
        }
        state.obstacle = (error, now + Self.renamePause)
        let reason = String(cString: strerror(error))
        report.withLock { $0.obstacle = reason }
        return isAtEnd && empty(&state, now)
    }

    private func empty(_ state: inout State, _ now: Double) -> Bool {
        guard ftruncate(state.descriptor, 0) == 0 else { return false }
        (state.size, state.begun) = (0, now)
        return true
    }

    private func clear(_ state: inout State) {
        state.obstacle = nil
        report.withLock { $0.obstacle = nil }
    }

    /// Moves the file out of the way. Nothing is lost when that fails.
    ///
    /// - Returns: errno(3); `nil`: it did.
    private func replace(_ rotation: LogRotation) -> Int32? {
        let keep = rotation.keep
        guard keep > 0 else { return unlink(path) == 0 || errno == ENOENT ? nil : errno }
        // Before the others are touched: it may be a mount point.
        let aside = "\(path).0"
        guard rename(path, aside) == 0 else { return errno == ENOENT ? nil : errno }
        shift(keep, "")
        guard rename(aside, "\(path).1") == 0 else {
            let error = errno
            return rename(aside, path) == 0 ? error : nil
        }
        shift(keep, ".gz")
        if rotation.compress, Gzip.compress("\(path).1", to: "\(path).1.gz") { unlink("\(path).1") }
        return nil
    }

    private func shift(_ keep: Int, _ suffix: String) {
        unlink("\(path).\(keep)\(suffix)")
        for number in stride(from: keep - 1, to: 0, by: -1) {
            rename("\(path).\(number)\(suffix)", "\(path).\(number + 1)\(suffix)")
        }
    }

    private func fail(_ error: Int32) {
        // open(2): O_NOFOLLOW; a pipe without a reader.
        switch error {
        case ELOOP where isPlain: fail("it is a symbolic link")
        case ENXIO: fail("nobody reads from it")
        default: fail(String(cString: strerror(error)))
        }
    }

    private func fail(_ reason: String) {
        report.withLock { report in
            report.failures += 1
            report.lastError = reason
        }
    }

    private static func close(_ state: inout State) {
        if state.descriptor >= 0 { Glibc.close(state.descriptor) }
        state.descriptor = -1
    }
}

/// The time that a log file begins with. (The times that file systems keep say when it was last changed.)
enum LogFileTime {
    /// Seconds since 1970; `nil`: no line of wsd's stands there.
    static func first(_ path: String) -> Double? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        return count > 0 ? parse(bytes[..<count]) : nil
    }

    /// `2026-11-21 06:00:00.123 …` in the machine's time zone, or `{"time":"2026-11-21T06:00:00.123456Z",…` in UTC.
    static func parse(_ line: some Collection<UInt8>) -> Double? {
        let mark = Array(#"{"time":""#.utf8)
        let isJSON = line.starts(with: mark)
        let text = Array(line.dropFirst(isJSON ? mark.count : 0).prefix(19))
        guard text.count == 19, text[10] == UInt8(ascii: isJSON ? "T" : " ") else { return nil }
        let numbers = [0..<4, 5..<7, 8..<10, 11..<13, 14..<16, 17..<19].map { range in
            Int32(String(decoding: text[range], as: UTF8.self))
        }
        guard let year = numbers[0], let month = numbers[1], let day = numbers[2], let hour = numbers[3],
            let minute = numbers[4], let second = numbers[5]
        else { return nil }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (year - 1900, month - 1, day)
        (parts.tm_hour, parts.tm_min, parts.tm_sec, parts.tm_isdst) = (hour, minute, second, -1)
        let time = isJSON ? timegm(&parts) : mktime(&parts)
        return time > 0 ? Double(time) : nil
    }
}
