import Glibc
package import Model

/// Listening sockets that the service manager holds from one process of the service to the next (`FDSTORE=1`, sd_notify(3)), so
/// that nobody is refused in between.
package enum StoredSockets {
    static let prefix = "wsd-listen-"
    /// Longest name that systemd takes, bytes.
    static let maxName = 255

    /// The name that the sockets of a configured address are held under; `nil`: it would be too long.
    package static func name(of address: ListenAddress) -> String? {
        var name = prefix
        for byte in address.description.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "/"),
                UInt8(ascii: "_"):
                name.unicodeScalars.append(Unicode.Scalar(byte))
            default: name += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return name.utf8.count <= maxName ? name : nil
    }

    /// What becomes of the sockets that were handed in.
    package struct Plan: Equatable, Sendable {
        /// Sockets of socket units. Where there are any, the service listens on these alone.
        package var activated: [ListeningSocket] = []
        /// Held sockets by the configured address that they were bound for.
        package var kept: [ListenAddress: [ListeningSocket]] = [:]
        /// Held sockets of addresses where the service is not to listen any more.
        package var stale: [SystemdSockets.Inherited] = []

        package var staleNames: Set<String> { Set(stale.map(\.name)) }
    }

    /// - Parameter isUsable: whether a held socket can still be reached.
    package static func plan(
        _ inherited: [SystemdSockets.Inherited], for addresses: [ListenAddress],
        isUsable: (ListeningSocket) -> Bool = isReachable
    ) -> Plan {
        var plan = Plan()
        plan.activated = inherited.filter { !$0.name.hasPrefix(prefix) }.map(\.socket)
        let wanted = plan.activated.isEmpty ? addresses : []
        let byName = Dictionary(wanted.compactMap { address in name(of: address).map { ($0, address) } }) { first, _ in
            first
        }
        for held in inherited where held.name.hasPrefix(prefix) {
            if let address = byName[held.name], isUsable(held.socket) {
                plan.kept[address, default: []].append(held.socket)
            } else {
                plan.stale.append(held)
            }
        }
        // One name, one fate: the sockets of a name are dropped together.
        let names = plan.staleNames
        for (address, sockets) in plan.kept {
            guard let name = name(of: address), names.contains(name) else { continue }
            plan.stale += sockets.map { SystemdSockets.Inherited(socket: $0, name: name) }
            plan.kept[address] = nil
        }
        return plan
    }

    /// Nobody can reach a Unix socket without its file.
    package static func isReachable(_ socket: ListeningSocket) -> Bool {
        guard case .unix(let path) = socket.address else { return true }
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }
}
