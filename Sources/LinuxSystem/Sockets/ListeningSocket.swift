import CLinux
import Glibc
package import Model

/// A listening socket: CLOEXEC, non-blocking, without `SO_REUSEPORT`. Whoever holds it closes it.
package struct ListeningSocket: Hashable, Codable, Sendable {
    package var descriptor: Int32
    /// Where it really listens: with the port that the kernel chose, and a numeric address.
    package var address: ListenAddress
    /// This process made the Unix socket's file; otherwise systemd did, and needs it for the next start.
    package var ownsFile: Bool

    package init(descriptor: Int32, address: ListenAddress, ownsFile: Bool = false) {
        self.descriptor = descriptor
        self.address = address
        self.ownsFile = ownsFile
    }

    /// Connections that wait for `accept`, while workers restart for example. The kernel caps it at `net.core.somaxconn`.
    package static let defaultBacklog: Int32 = 4096

    /// Binds all sockets that an address stands for: one for each address of a host name, a single dual-stack one for all
    /// addresses (host `nil` or `::`; IPv4 alone where the machine has no IPv6).
    ///
    /// A Unix socket whose owner is gone is replaced; its file is made connectable for every user (mode 0666), as a port is.
    package static func bind(
        _ address: ListenAddress, backlog: Int32 = defaultBacklog
    ) throws(ListenError) -> [ListeningSocket] {
        switch address {
        case .unix(let path): [try bindUnix(path, backlog: backlog)]
        case .tcp(let host, let port): try bindTCP(host: host, port: port, backlog: backlog)
        }
    }

    package func close() {
        Glibc.close(descriptor)
    }

    /// Somebody who connects gets here. Whoever has a copy may have shut it down, or removed its file.
    package var isReachable: Bool {
        var (listens, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
        guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0, listens != 0 else {
            return false
        }
        return hasFile
    }

    /// Or needs none.
    package var hasFile: Bool {
        guard ownsFile, case .unix(let path) = address else { return true }
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    /// Nobody gets through any more, and the address is free, even while other processes (a service manager) have copies open.
    package func shutDown() {
        shutdown(descriptor, Int32(SHUT_RDWR))
    }
}

/// Why a listening socket could not be had.
package enum ListenError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `holder` is known only where this user may look.
    case addressInUse(ListenAddress, holder: ProcessName?)
    case unknownHost(String, reason: String)
    /// There is a file of another kind at the path.
    case notASocket(path: String)
    case failed(ListenAddress, SystemError)

    package var description: String {
        switch self {
        case .addressInUse(let address, let holder):
            "Cannot listen on \(address): \(holder.map { "\($0)" } ?? "another process") listens there already. "
                + "Stop it, or choose another address with --listen."
        case .unknownHost(let host, let reason): "Cannot listen on \(host): \(reason)"
        case .notASocket(let path):
            "Cannot listen on unix:\(path): there is a file that is not a socket. Remove it, or choose another path."
        case .failed(.tcp(let host, let port), let error) where error.code == EACCES && port < 1024:
            "Cannot listen on \(ListenAddress.tcp(host: host, port: port)): \(error.reason). "
                + "Ports below 1024 need root, or CAP_NET_BIND_SERVICE in AmbientCapabilities= and CapabilityBoundingSet= of the systemd unit."
        case .failed(let address, let error): "Cannot listen on \(address): \(error.reason)"
        }
    }
}
