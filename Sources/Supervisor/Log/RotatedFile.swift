import Glibc
import Synchronization

/// A log file that is replaced by an empty one when it has grown above its limit: `wsd.log` becomes `wsd.log.1`, that
/// `wsd.log.2`, and so on up to the number of files to keep.
///
/// A file that cannot be opened or written (full disk) costs lines, which are counted; every write tries again.
final class RotatedFile: LogDestination {
    private struct State {
        var descriptor: Int32 = -1
        var size = 0
    }

    /// Apart from the state, which is held while the disk is waited for.
    private struct Report {
        var failures = 0
        var lastError: String?
    }

    private let path: String
    private let maxSize: Int
    private let keep: Int
    private let state = Mutex(State())
    private let report = Mutex(Report())

    /// - Parameters:
    ///   - maxSize: bytes; a file is rotated before the write that would exceed it.
    ///   - keep: rotated files; 0 starts the one file anew.
    init(path: String, maxSize: Int, keep: Int) {
        self.path = path
        self.maxSize = maxSize
        self.keep = keep
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

    func write(_ bytes: UnsafeRawBufferPointer) {
        state.withLock { write(bytes, &$0) }
    }

    func reopen() {
        state.withLock { Self.close(&$0) }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, _ state: inout State) {
        if state.descriptor < 0, !open(&state) { return }
        if state.size > 0, state.size + bytes.count > maxSize {
            rotate(&state)
            if state.descriptor < 0, !open(&state) { return }
        }
        var rest = bytes
        while let start = rest.baseAddress, !rest.isEmpty {
            let count = Glibc.write(state.descriptor, start, rest.count)
            if count > 0 {
                state.size += count
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                if rest.isEmpty { report.withLock { $0.lastError = nil } }
            } else if count == 0 || errno != EINTR {
                fail()
                return
            }
        }
    }

    private func open(_ state: inout State) -> Bool {
        state.descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard state.descriptor >= 0 else {
            fail()
            return false
        }
        let end = lseek(state.descriptor, 0, SEEK_END)
        state.size = end > 0 ? Int(end) : 0
        return true
    }

    private func rotate(_ state: inout State) {
        Self.close(&state)
        if keep == 0 {
            unlink(path)
            return
        }
        for number in stride(from: keep - 1, to: 0, by: -1) {
            rename("\(path).\(number)", "\(path).\(number + 1)")
        }
        rename(path, "\(path).1")
    }

    private func fail() {
        let reason = String(cString: strerror(errno))
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
