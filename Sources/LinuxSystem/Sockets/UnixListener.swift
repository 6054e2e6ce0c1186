import CLinux
import Glibc

/// A Unix socket that exactly one process at a time holds: the control socket, or the hub's.
///
/// The right to the path is an exclusive lock (flock(2)) on `<path>.lock`, which the kernel gives back however the process ends.
/// Whoever has the lock may replace the socket's file.
package struct UnixListener: Codable, Sendable {
    /// Listening; CLOEXEC, non-blocking. Closed by ``close()``, or by whoever adopts it.
    package let descriptor: Int32
    package let path: String
    private let lock: Int32
    private let mode: UInt32
    private let group: UInt32?
    /// The socket's file as it was bound.
    private let file: FileIdentity?

    /// Connections that wait for `accept`.
    package static let defaultBacklog: Int32 = 128

    /// Binds the socket; the directory must be there (``RuntimeDirectory``).
    ///
    /// - Parameters:
    ///   - mode: of the socket's file: who may connect.
    ///   - group: owner group of the file; `nil`: the process's own.
    package static func bind(
        path: String, mode: UInt32, group: UInt32? = nil, backlog: Int32 = defaultBacklog
    ) throws(UnixListenerError) -> UnixListener {
        let lock = try takeLock(path + ".lock", of: path)
        do throws(UnixListenerError) {
            let descriptor = try listen(path: path, mode: mode, group: group, backlog: backlog)
            return UnixListener(descriptor: descriptor, lock: lock, path: path, mode: mode, group: group)
        } catch {
            Glibc.close(lock)
            throw error
        }
    }

    private init(descriptor: Int32, lock: Int32, path: String, mode: UInt32, group: UInt32?) {
        self.descriptor = descriptor
        self.lock = lock
        self.path = path
        self.mode = mode
        self.group = group
        file = FileIdentity(path: path)
    }

    /// What has to stay open for the path to be held.
    package var descriptors: [Int32] { [descriptor, lock] }

    /// Binds the path anew when somebody removed the socket's file, and takes the lock anew when that one is gone, too.
    ///
    /// - Returns: what stands for this listener from now on (its descriptor is still to be closed); `nil`: all is in place.
    package func restored() throws(UnixListenerError) -> UnixListener? {
        guard file == nil || FileIdentity(path: path) != file else { return nil }
        let isLocked = FileIdentity(path: path + ".lock") == FileIdentity(descriptor: lock)
        let lock = isLocked ? lock : try Self.takeLock(path + ".lock", of: path)
        do throws(UnixListenerError) {
            let descriptor = try Self.listen(path: path, mode: mode, group: group, backlog: Self.defaultBacklog)
            if !isLocked { Glibc.close(self.lock) }
            return UnixListener(descriptor: descriptor, lock: lock, path: path, mode: mode, group: group)
        } catch {
            if !isLocked { Glibc.close(lock) }
            throw error
        }
    }

    /// Removes the socket's file and gives the path back.
    ///
    /// - Parameter closingDescriptor: `false` when somebody else (an event loop's channel) owns the descriptor by now.
    package func close(closingDescriptor: Bool = true) {
        unlink(path)
        if closingDescriptor { Glibc.close(descriptor) }
        // The lock's file stays: removed, two processes could hold locks on two files of one name.
        Glibc.close(lock)
    }

    private static func takeLock(_ lockPath: String, of path: String) throws(UnixListenerError) -> Int32 {
        let lock = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw .failed(SystemError(call: "open", code: errno, subject: lockPath)) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            defer { Glibc.close(lock) }
            guard code == EWOULDBLOCK else { throw .failed(SystemError(call: "lock", code: code, subject: lockPath)) }
            throw .inUse(path: path, holder: holder(lock))
        }
        let text = Array("\(getpid())\n".utf8)
        ftruncate(lock, 0)
        _ = pwrite(lock, text, text.count, 0)
        return lock
    }

    /// The process that wrote its number into the lock's file.
    private static func holder(_ lock: Int32) -> ProcessName? {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = pread(lock, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        let line = String(decoding: bytes[..<count], as: UTF8.self).prefix { $0 != "\n" }
        guard let pid = Int32(line) else { return nil }
        return ProcessName.of(pid: pid)
    }

    private static func listen(
        path: String, mode: UInt32, group: UInt32?, backlog: Int32
    ) throws(UnixListenerError) -> Int32 {
        switch UnixSocketFile.probe(path) {
        case .free: break
        case .stale: unlink(path)
        case .live(let holder): throw .inUse(path: path, holder: holder)
        case .notASocket: throw .notASocket(path: path)
        case .unknown(let error): throw .failed(error)
        }
        let descriptor = wsd_listen_unix(path, backlog)
        guard descriptor >= 0 else { throw .failed(SystemError(call: "bind", code: errno, subject: path)) }
        var failed: String?
        if let group, chown(path, uid_t.max, group) != 0 { failed = "give the group" }
        if failed == nil, chmod(path, mode) != 0 { failed = "set the mode of" }
        if let failed {
            let code = errno
            Glibc.close(descriptor)
            unlink(path)
            throw .failed(SystemError(call: failed, code: code, subject: path))
        }
        return descriptor
    }
}

/// One file, whatever it is called. `nil`: there is none, or it cannot be seen.
private struct FileIdentity: Hashable, Codable, Sendable {
    let device: UInt64
    let inode: UInt64

    init?(path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
    }

    init?(descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
    }
}

package enum UnixListenerError: Error, Hashable, Sendable, CustomStringConvertible {
    case inUse(path: String, holder: ProcessName?)
    case notASocket(path: String)
    case failed(SystemError)

    package var description: String {
        switch self {
        case .inUse(let path, let holder):
            "The socket \(path) is in use by \(holder.map { "\($0)" } ?? "another process"). "
                + "Choose another one with --socket to run a second service."
        case .notASocket(let path):
            "There is a file at \(path) that is not a socket. Remove it, or choose another path with --socket."
        case .failed(let error): error.description
        }
    }
}
