import CLinux
import Glibc
internal import Model

extension ListeningSocket {
    /// Addresses of one host name that are bound at most.
    static let maxAddresses = 16
    /// Attempts to find a port that is free on all addresses of a name, where the kernel chooses.
    static let portAttempts = 16

    static func bindTCP(host: String?, port: UInt16, backlog: Int32) throws(ListenError) -> [ListeningSocket] {
        guard let host, host != "::" else { return [try bindWildcard(port: port, backlog: backlog)] }
        let addresses = try resolve(host)
        for _ in 1..<portAttempts where port == 0 {
            do {
                return try bindAll(addresses, host: host, port: port, backlog: backlog)
            } catch .addressInUse {
                continue
            }
        }
        return try bindAll(addresses, host: host, port: port, backlog: backlog)
    }

    /// One `[::]` socket that takes IPv4, too.
    private static func bindWildcard(port: UInt16, backlog: Int32) throws(ListenError) -> ListeningSocket {
        var actual = port
        let any = [UInt8](repeating: 0, count: 16)
        var descriptor = wsd_listen_tcp(any, 16, 0, &actual, 1, backlog)
        if descriptor < 0, [EAFNOSUPPORT, EADDRNOTAVAIL, EPROTONOSUPPORT].contains(errno) {
            actual = port
            descriptor = wsd_listen_tcp(any, 4, 0, &actual, 0, backlog)
        }
        guard descriptor >= 0 else { throw error(errno, .tcp(host: nil, port: port), NumericAddress(bytes: any)) }
        return ListeningSocket(descriptor: descriptor, address: .tcp(host: nil, port: actual))
    }

    /// Binds every address of a name to one port. Addresses that the machine does not have are left out, as long as there is
    /// another one.
    private static func bindAll(
        _ addresses: [NumericAddress], host: String, port: UInt16, backlog: Int32
    ) throws(ListenError) -> [ListeningSocket] {
        var bound: [ListeningSocket] = []
        var missing: ListenError?
        var port = port
        for address in addresses {
            var actual = port
            let descriptor = wsd_listen_tcp(address.bytes, address.bytes.count, address.scope, &actual, 0, backlog)
            if descriptor >= 0 {
                port = actual
                let numeric = ListenAddress.tcp(host: address.description, port: actual)
                bound.append(ListeningSocket(descriptor: descriptor, address: numeric))
                continue
            }
            let code = errno
            let failure = error(code, .tcp(host: host, port: port), address)
            if [EADDRNOTAVAIL, EAFNOSUPPORT, EPROTONOSUPPORT].contains(code) {
                missing = failure
                continue
            }
            for socket in bound { socket.close() }
            throw failure
        }
        if bound.isEmpty, let missing { throw missing }
        return bound
    }

    private static func resolve(_ host: String) throws(ListenError) -> [NumericAddress] {
        // Needs no resolver to be known (RFC 6761 section 6.3).
        if host.lowercased() == "localhost" { return [.loopbackV4, .loopbackV6] }
        var found = [wsd_address](repeating: wsd_address(), count: maxAddresses)
        var count = 0
        let code = wsd_resolve(host, &found, found.count, &count)
        guard code == 0 else { throw .unknownHost(host, reason: String(cString: gai_strerror(code))) }
        var addresses: [NumericAddress] = []
        for entry in found.prefix(count) {
            let bytes = withUnsafeBytes(of: entry.bytes) { Array($0.prefix(entry.length)) }
            let address = NumericAddress(bytes: bytes, scope: entry.scope)
            if !addresses.contains(address) { addresses.append(address) }
        }
        if addresses.isEmpty { throw .unknownHost(host, reason: "the name has no address") }
        return addresses
    }

    private static func error(_ code: Int32, _ address: ListenAddress, _ numeric: NumericAddress) -> ListenError {
        guard code == EADDRINUSE, case .tcp(_, let port) = address else {
            return .failed(address, SystemError(call: "bind", code: code))
        }
        return .addressInUse(address, holder: PortHolder.find(port: port, address: numeric))
    }
}

/// An IPv4 or IPv6 address in network order.
struct NumericAddress: Hashable, Sendable, CustomStringConvertible {
    var bytes: [UInt8]
    var scope: UInt32 = 0

    static let loopbackV4 = NumericAddress(bytes: [127, 0, 0, 1])
    static let loopbackV6 = NumericAddress(bytes: [UInt8](repeating: 0, count: 15) + [1])

    var isWildcard: Bool { bytes.allSatisfy { $0 == 0 } }

    /// The usual text form (RFC 5952), without the interface.
    var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(bytes.count == 16 ? AF_INET6 : AF_INET, bytes, &text, socklen_t(text.count)) != nil else {
            return "?"
        }
        return text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "?" }
    }
}
