import CLinux
import Glibc

/// This process's own program, and how another one takes the process over.
package enum OwnProgram {
    /// Path of the file that this process was started from; `nil`: not known. When that was replaced meanwhile (by a package
    /// manager), its successor lies there.
    package static var path: String? {
        guard let link = ProcFile.link(ChildSpawner.ownImage), link.hasPrefix("/") else { return nil }
        let removed = " (deleted)"
        return link.hasSuffix(removed) ? String(link.dropLast(removed.count)) : link
    }

    /// Gives this process to another program (execve(2)): with the same arguments, the same process id, children and signal mask.
    /// Call on the first thread; the others end.
    ///
    /// - Parameters:
    ///   - program: descriptor of its file.
    ///   - environment: added to this process's.
    ///   - descriptors: those that stay open besides 0 to 2.
    /// - Returns: only when it has failed; nothing has changed then.
    package static func replace(
        by program: Int32, adding environment: [String: String], keeping descriptors: Set<Int32>
    ) -> SystemError {
        let others = Descriptors.open().filter { $0 > STDERR_FILENO }
        // Libraries leave some without the mark.
        for descriptor in others { try? Descriptors.setCloseOnExec(descriptor, !descriptors.contains(descriptor)) }
        // As they are: they need not be text.
        var variables: [UnsafeMutablePointer<CChar>?] = []
        if var entry = wsd_environment() {
            while let variable = entry.pointee {
                variables.append(variable)
                entry += 1
            }
        }
        let added = environment.map { strdup("\($0.key)=\($0.value)") }
        defer { for variable in added { free(variable) } }
        fexecve(program, CommandLine.unsafeArgv, variables + added + [nil])
        let code = errno
        for descriptor in others { try? Descriptors.setCloseOnExec(descriptor) }
        return SystemError(call: "execute", code: code, subject: "the new program")
    }
}

/// Bytes in memory that go from one process to another by their descriptor (memfd_create(2)).
package enum MemoryFile {
    /// - Parameter name: shown in `/proc/PID/fd`.
    /// - Returns: its descriptor, CLOEXEC.
    package static func make(_ bytes: [UInt8], name: String) throws(SystemError) -> Int32 {
        let file = try SystemError.check("memfd_create", nil, wsd_memfd(name, bytes.count))
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, written) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let error = SystemError(call: "write", code: errno, subject: "a memory file")
                Descriptors.close(file)
                throw error
            }
            written += count
        }
        return file
    }

    /// Whether a descriptor is that of a memory file with this name.
    package static func isOne(_ descriptor: Int32, name: String) -> Bool {
        ProcFile.link("/proc/self/fd/\(descriptor)")?.hasPrefix("/memfd:\(name) ") ?? false
    }

    /// All of it.
    ///
    /// - Parameters:
    ///   - name: what it must be called: another descriptor is not read.
    ///   - limit: bytes.
    package static func read(_ descriptor: Int32, name: String, limit: Int) throws(SystemError) -> [UInt8] {
        guard isOne(descriptor, name: name) else {
            throw SystemError(call: "read", code: EBADF, subject: "descriptor \(descriptor)")
        }
        var status = stat()
        try SystemError.check("fstat", nil, fstat(descriptor, &status))
        guard status.st_size <= limit else {
            throw SystemError(call: "read", code: EFBIG, subject: "descriptor \(descriptor)")
        }
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
            while count < buffer.count {
                let read = pread(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count, off_t(count))
                if read < 0, errno == EINTR { continue }
                guard read > 0 else {
                    failure = read < 0 ? errno : EIO
                    return
                }
                count += read
            }
        }
        guard failure == 0 else { throw SystemError(call: "read", code: failure, subject: "descriptor \(descriptor)") }
        return bytes
    }
}
