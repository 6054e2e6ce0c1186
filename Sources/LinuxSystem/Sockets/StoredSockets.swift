import Glibc
package import Model

/// Listening sockets that the service manager holds from one process of the service to the next (`FDSTORE=1`, sd_notify(3)), so
/// that nobody is refused in between.
package enum StoredSockets {
    static let prefix = "wsd-listen-"
    static let programPrefix = "wsd-program-"
    /// Longest name that systemd takes, bytes.
    static let maxName = 255

    /// The name that the sockets of a configured address are held under; `nil`: it would be too long.
    package static func name(of address: ListenAddress) -> String? {
        name(prefix, address.description)
    }

    /// The same for an address that a program listens on.
    package static func name(of address: ListenAddress, program: String) -> String? {
        name(programPrefix, "\(program):\(address)")
    }

    private static func name(_ prefix: String, _ text: String) -> String? {
        var name = prefix
        for byte in text.utf8 {
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

    /// Whether a former process of the service gave this name, and not a socket unit.
    static func areOwn(_ name: String) -> Bool { name.hasPrefix(prefix) || name.hasPrefix(programPrefix) }

    /// What becomes of the sockets that were handed in.
    package struct Plan: Equatable, Sendable {
        /// Sockets of socket units. Where there are any, the service listens on these alone.
        package var activated: [ListeningSocket] = []
        /// Held sockets by the configured address that they were bound for.
        package var kept: [ListenAddress: [ListeningSocket]] = [:]
        /// Held sockets of programs, where the service is not going to listen itself.
        package var programs: [SystemdSockets.Inherited] = []
        /// Held sockets of addresses where the service is not to listen any more.
        package var stale: [SystemdSockets.Inherited] = []

        package var staleNames: Set<String> { Set(stale.map(\.name)) }

        /// - Parameter unbound: where the service is going to bind sockets of its own.
        fileprivate mutating func sortPrograms(
            _ inherited: [SystemdSockets.Inherited], besides unbound: [ListenAddress],
            isUsable: (ListeningSocket) -> Bool
        ) {
            let held = inherited.filter { $0.name.hasPrefix(programPrefix) }
            let useless = Set(
                held.filter { !$0.isListening || !isUsable($0.socket) || isInTheWay($0.socket.address, of: unbound) }
                    .map(\.name))
            programs = held.filter { !useless.contains($0.name) }
            stale += held.filter { useless.contains($0.name) }
        }

        private func isInTheWay(_ address: ListenAddress, of others: [ListenAddress]) -> Bool {
            others.contains { other in
                switch (address, other) {
                case (.tcp(_, let port), .tcp(_, let wanted)): port == wanted
                default: address == other
                }
            }
        }
    }

    /// - Parameter isUsable: whether a held socket can still be reached.
    package static func plan(
        _ inherited: [SystemdSockets.Inherited], for addresses: [ListenAddress],
        isUsable: (ListeningSocket) -> Bool = isReachable
    ) -> Plan {
        var plan = Plan()
        plan.activated = inherited.filter { !areOwn($0.name) }.map(\.socket)
        let wanted = plan.activated.isEmpty ? addresses : []
        let byName = Dictionary(wanted.compactMap { address in name(of: address).map { ($0, address) } }) { first, _ in
            first
        }
        for held in inherited where held.name.hasPrefix(prefix) {
            if let address = byName[held.name], held.isListening, isUsable(held.socket) {
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
        plan.sortPrograms(inherited, besides: wanted.filter { plan.kept[$0] == nil }, isUsable: isUsable)
        return plan
    }

    /// Nobody can reach a Unix socket without its file.
    package static func isReachable(_ socket: ListeningSocket) -> Bool {
        guard case .unix(let path) = socket.address else { return true }
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }
}
