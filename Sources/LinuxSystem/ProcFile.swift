import Glibc

/// Reads of small files under `/proc`, which have no size of their own.
package enum ProcFile {
    /// - Parameter limit: bytes that are read at most; the rest is left out.
    /// - Returns: `nil` when the file cannot be read (as a rule: the process is gone).
    static func read(_ path: String, limit: Int = 4096) -> [UInt8]? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { Glibc.close(descriptor) }
        var bytes: [UInt8] = []
        while bytes.count < limit {
            let chunk = min(limit - bytes.count, 64 * 1024)
            var count = 0
            bytes += [UInt8](unsafeUninitializedCapacity: chunk) { buffer, initialized in
                count = Glibc.read(descriptor, buffer.baseAddress, chunk)
                initialized = max(count, 0)
            }
            if count < 0, errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { return bytes }
        }
        return bytes
    }

    static func text(_ path: String, limit: Int = 4096) -> String? {
        read(path, limit: limit).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Target of a symbolic link.
    static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer[..<count].lazy.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    package static func name(of entry: UnsafeMutablePointer<dirent>) -> String {
        withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) {
                String(cString: $0)
            }
        }
    }
}
