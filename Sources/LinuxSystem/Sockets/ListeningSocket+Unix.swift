import CLinux
import Glibc
internal import Model

extension ListeningSocket {
    static func bindUnix(_ path: String, backlog: Int32) throws(ListenError) -> ListeningSocket {
        let address = ListenAddress.unix(path: path)
        switch UnixSocketFile.probe(path) {
        case .free: break
        case .stale: unlink(path)
        case .live(let holder): throw .addressInUse(address, holder: holder)
        case .notASocket: throw .notASocket(path: path)
        case .unknown(let error): throw .failed(address, error)
        }
        let descriptor = wsd_listen_unix(path, backlog)
        guard descriptor >= 0 else {
            if errno == EADDRINUSE { throw .addressInUse(address, holder: nil) }
            throw .failed(address, SystemError(call: "bind", code: errno, subject: path))
        }
        guard chmod(path, 0o666) == 0 else {
            let code = errno
            Glibc.close(descriptor)
            unlink(path)
            throw .failed(address, SystemError(call: "chmod", code: code, subject: path))
        }
        return ListeningSocket(descriptor: descriptor, address: address, ownsFile: true)
    }

    /// Removes the file of a Unix socket that was bound here. For the end of the service.
    package func removeFile() {
        if ownsFile, case .unix(let path) = address { unlink(path) }
    }
}

/// What lies at the path of a Unix socket.
enum UnixSocketFile {
    case free
    /// A socket at which nobody listens any more.
    case stale
    case live(ProcessName?)
    case notASocket
    case unknown(SystemError)

    static func probe(_ path: String) -> UnixSocketFile {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            return errno == ENOENT ? .free : .unknown(SystemError(call: "look at", code: errno, subject: path))
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else { return .notASocket }
        let descriptor = wsd_connect_unix(path)
        guard descriptor >= 0 else {
            switch errno {
            case ECONNREFUSED: return .stale
            case ENOENT: return .free
            // Its backlog is full, or it is of another type, or not ours to connect to: there is somebody, as far as we can tell.
            default: return .live(nil)
            }
        }
        defer { close(descriptor) }
        return .live((try? PeerCredentials.identity(of: descriptor)).map { ProcessName.of(pid: $0.pid) })
    }
}
