import CLinux
import Glibc
internal import Model

/// Listening sockets that systemd hands to this process (sd_listen_fds(3)): those it opened itself, and those that a former
/// process of the service had it hold.
package enum SystemdSockets {
    /// Descriptors begin here (`SD_LISTEN_FDS_START`).
    static let first: Int32 = 3
    /// Sockets that are taken at most: those of socket units, and as many as the unit has systemd hold.
    static let maxCount = 128

    package struct Inherited: Hashable, Sendable {
        package var socket: ListeningSocket
        /// `FileDescriptorName=` of the socket unit, or `FDNAME=` of one that was held; empty when there is none.
        package var name: String
        /// `false`: one that was held and has been shut down since.
        package var isListening = true
    }

    /// The sockets, now CLOEXEC and non-blocking; empty without socket activation. Removes the variables, so that a second call
    /// gives none. To be called before there is a second thread (setenv(3)).
    ///
    /// - Throws: `SystemError` when a descriptor is not a listening stream socket, unless it is one that this service had held.
    package static func inherited() throws(SystemError) -> [Inherited] {
        let names = announced(in: Environment.current, pid: getpid())
        for variable in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"] { unsetenv(variable) }
        var sockets: [Inherited] = []
        for (offset, name) in names.enumerated() {
            let descriptor = first + Int32(offset)
            let isListening = wsd_is_listening(descriptor) == 1
            guard isListening || StoredSockets.areOwn(name), let address = address(of: descriptor) else {
                throw SystemError(call: "listen on", code: ENOTSOCK, subject: "descriptor \(descriptor) of LISTEN_FDS")
            }
            try Descriptors.setCloseOnExec(descriptor)
            try Descriptors.setNonBlocking(descriptor)
            let socket = ListeningSocket(descriptor: descriptor, address: address)
            sockets.append(Inherited(socket: socket, name: name, isListening: isListening))
        }
        return sockets
    }

    /// Names of the announced descriptors, one for each; empty when they are meant for another process.
    static func announced(in environment: [String: String], pid: Int32) -> [String] {
        guard environment["LISTEN_PID"].flatMap({ Int32($0) }) == pid,
            let count = environment["LISTEN_FDS"].flatMap({ Int($0) }),
            (1...maxCount).contains(count)
        else { return [] }
        let given = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false)
        return (0..<count).map { $0 < given.count ? String(given[$0]) : "" }
    }

    /// Where a bound socket listens.
    static func address(of descriptor: Int32) -> ListenAddress? {
        var local = wsd_local_address()
        guard wsd_local_address(descriptor, &local) == 0 else { return nil }
        let bytes = withUnsafeBytes(of: local.bytes) { Array($0) }
        switch local.family {
        case AF_INET:
            let address = NumericAddress(bytes: Array(bytes.prefix(4)))
            return .tcp(host: address.description, port: local.port)
        case AF_INET6:
            let address = NumericAddress(bytes: bytes)
            return .tcp(host: address.isWildcard && local.v6only == 0 ? nil : address.description, port: local.port)
        case AF_UNIX:
            let path = withUnsafeBytes(of: local.path) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            return .unix(path: path)
        default: return nil
        }
    }
}
