import Glibc
import NIOCore

/// A regular file held open, so that what was promised of it and what is sent belong together. Calls block.
final class OpenFile: Sendable {
    let size: Int64
    /// Seconds since 1970.
    let modified: Int64
    /// Quoted; changes with time (to the nanosecond) and size.
    let tag: String
    private let descriptor: Int32

    enum Outcome {
        case file(OpenFile)
        case directory
        case absent
    }

    struct ReadError: Error {
        /// `errno`; 0 when the file ended before its size at the time it was opened.
        var code: Int32
    }

    /// Opens what `path` names; a FIFO, a device or what may not be read counts as absent.
    static func open(_ path: String) -> Outcome {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { return .absent }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            close(descriptor)
            return .absent
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file(OpenFile(descriptor, status))
        case S_IFDIR:
            close(descriptor)
            return .directory
        default:
            close(descriptor)
            return .absent
        }
    }

    private init(_ descriptor: Int32, _ status: stat) {
        self.descriptor = descriptor
        size = Int64(status.st_size)
        modified = Int64(status.st_mtim.tv_sec)
        let parts = [Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec), Int64(status.st_size)]
        tag = "\"" + parts.map { String($0, radix: 16) }.joined(separator: "-") + "\""
    }

    deinit {
        close(descriptor)
    }

    /// All of `range`, which lies within the size.
    func read(_ range: Range<Int64>) throws -> ByteBuffer {
        var out = ByteBufferAllocator().buffer(capacity: range.count)
        while out.readableBytes < range.count {
            let offset = range.lowerBound + Int64(out.readableBytes)
            let wanted = range.count - out.readableBytes
            var result = 0
            var code: Int32 = 0
            out.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { target in
                result = pread(descriptor, target.baseAddress, wanted, off_t(offset))
                code = result < 0 ? errno : 0
                return max(0, result)
            }
            guard result > 0 || code == EINTR else { throw ReadError(code: code) }
        }
        return out
    }
}
