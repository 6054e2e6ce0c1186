internal import CZlib
import Glibc

/// Files made smaller (RFC 1952), as `gzip` does.
enum Gzip {
    /// Half the time of zlib's usual 6, for files a tenth larger.
    private static let level: Int32 = 3
    private static let piece = 64 * 1024

    /// Writes `path` compressed into `target`, with the same time and mode. What is there is replaced once all of it is
    /// written; until then it lies in ``unfinished(_:)``.
    ///
    /// - Returns: whether it did; if not, nothing has changed.
    static func compress(_ path: String, to target: String) -> Bool {
        let source = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard source >= 0 else { return false }
        defer { close(source) }
        var status = stat()
        guard fstat(source, &status) == 0 else { return false }
        let unfinished = unfinished(target)
        unlink(unfinished)
        let output = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, status.st_mode & 0o777)
        guard output >= 0 else { return false }
        defer { close(output) }
        var times = [status.st_atim, status.st_mtim]
        guard deflate(source, output), futimens(output, &times) == 0, rename(unfinished, target) == 0 else {
            unlink(unfinished)
            return false
        }
        return true
    }

    static func unfinished(_ target: String) -> String { target + ".tmp" }

    private static func deflate(_ source: Int32, _ output: Int32) -> Bool {
        var stream = z_stream()
        guard wsd_deflate_init_gzip(&stream, level) == Z_OK else { return false }
        defer { deflateEnd(&stream) }
        var input = [UInt8](repeating: 0, count: piece)
        var packed = [UInt8](repeating: 0, count: piece)
        while true {
            let count = read(source, &input, piece)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return false }
            let isWritten = input.withUnsafeMutableBufferPointer { input in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(count)
                return drain(&stream, finishing: count == 0, &packed, output)
            }
            guard isWritten else { return false }
            if count == 0 { return true }
        }
    }

    /// Writes out all that the stream has for the input it was given.
    private static func drain(
        _ stream: inout z_stream, finishing: Bool, _ packed: inout [UInt8], _ output: Int32
    ) -> Bool {
        while true {
            let (result, count) = packed.withUnsafeMutableBufferPointer { packed in
                stream.next_out = packed.baseAddress
                stream.avail_out = UInt32(packed.count)
                let result = CZlib.deflate(&stream, finishing ? Z_FINISH : Z_NO_FLUSH)
                return (result, packed.count - Int(stream.avail_out))
            }
            guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else { return false }
            guard packed.withUnsafeBytes({ FileOutput.writeAll($0[..<count], to: output) }) == nil else { return false }
            // Room that is left over: nothing more is to come of this input.
            if stream.avail_out > 0 { return !finishing || result == Z_STREAM_END }
        }
    }
}

enum FileOutput {
    /// Writes everything, however often it is interrupted.
    ///
    /// - Returns: what went wrong (errno(3)); `nil`: nothing.
    static func writeAll(_ bytes: Slice<UnsafeRawBufferPointer>, to descriptor: Int32) -> Int32? {
        var rest = UnsafeRawBufferPointer(rebasing: bytes)
        while let start = rest.baseAddress, !rest.isEmpty {
            let count = Glibc.write(descriptor, start, rest.count)
            if count > 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            } else if count == 0 || errno != EINTR {
                return count == 0 ? EIO : errno
            }
        }
        return nil
    }
}
