import LinuxSystem
import Model
import Supervision

/// The sockets that are held for programs: bound when a process first needs them, and kept over its restarts. Where a service
/// manager holds them, too, they stay open over a restart of the service.
struct ProgramSockets {
    /// The service manager's store (sd_notify(3)). What it is told, it does in order.
    struct Store {
        var hold: (_ descriptor: CInt, _ name: String) -> Void
        var release: (_ name: String) -> Void
    }

    private let store: Store?
    var held: [String: [ListenAddress: [ListeningSocket]]] = [:]
    /// Addresses at which nobody got through any more, because a process shut its socket down or removed its file: they were given up,
    /// to be bound anew.
    private var spoiled: [ListenAddress] = []
    /// Those of a former life of the service, until it is known who needs them.
    private var former: [SystemdSockets.Inherited]

    /// - Parameter store: `nil`: there is none.
    init(former: [SystemdSockets.Inherited] = [], store: Store? = nil) {
        self.former = former
        self.store = store
    }

    /// Takes over the sockets of a former life of the service for the programs that are to run; lets go of the others.
    ///
    /// - Returns: the addresses that nobody was refused at.
    mutating func adopt(for programs: [ProgramDefinition]) -> [ListenAddress] {
        var byName = Dictionary(grouping: former, by: \.name)
        former = []
        var kept: [ListenAddress] = []
        for program in programs where program.isWanted {
            for address in program.configuration.listen {
                guard let name = StoredSockets.name(of: address, program: program.configuration.name),
                    let found = byName.removeValue(forKey: name)
                else { continue }
                let sockets = found.map { inherited in
                    var socket = inherited.socket
                    socket.ownsFile = true
                    return socket
                }
                wait(at: sockets)
                held[program.configuration.name, default: [:]][address] = sockets
                kept.append(address)
            }
        }
        for (name, sockets) in byName.sorted(by: { $0.key < $1.key }) {
            store?.release(name)
            for inherited in sockets {
                var socket = inherited.socket
                socket.ownsFile = true
                end(socket)
            }
        }
        return kept
    }

    /// The sockets of these addresses, in their order; those of others are closed.
    ///
    /// - Throws: a sentence; what was held stays.
    mutating func sockets(of program: String, _ addresses: [ListenAddress]) throws(ProgramSystemError)
        -> [ListeningSocket]
    {
        guard !addresses.isEmpty || held[program] != nil else { return [] }
        var own = held[program] ?? [:]
        for (address, sockets) in own where !sockets.allSatisfy(\.isReachable) {
            if let name = StoredSockets.name(of: address, program: program) { store?.release(name) }
            for socket in sockets { end(socket) }
            own[address] = nil
            spoiled.append(address)
        }
        for address in addresses where own[address] == nil {
            do throws(ListenError) {
                own[address] = try ListeningSocket.bind(address)
            } catch {
                held[program] = own
                throw ProgramSystemError(description: Self.reason(error))
            }
            wait(at: own[address] ?? [])
            guard let name = StoredSockets.name(of: address, program: program) else { continue }
            for socket in own[address] ?? [] { store?.hold(socket.descriptor, name) }
        }
        for (address, sockets) in own where !addresses.contains(address) {
            close(sockets, address, program)
            own[address] = nil
        }
        held[program] = own
        return addresses.flatMap { own[$0] ?? [] }
    }

    /// Addresses that were given up since this was last asked.
    mutating func takeSpoiled() -> [ListenAddress] {
        defer { spoiled = [] }
        return spoiled
    }

    /// The program is not to be reached any more.
    mutating func close(_ program: String) {
        for (address, sockets) in held.removeValue(forKey: program) ?? [:] { close(sockets, address, program) }
    }

    /// The service ends: what the service manager holds stays open.
    mutating func closeAll() {
        for (program, own) in held {
            for (address, sockets) in own {
                let isStored = store != nil && StoredSockets.name(of: address, program: program) != nil
                for socket in sockets {
                    socket.close()
                    if !isStored { socket.removeFile() }
                }
            }
        }
        held = [:]
    }

    private func close(_ sockets: [ListeningSocket], _ address: ListenAddress, _ program: String) {
        if let name = StoredSockets.name(of: address, program: program) { store?.release(name) }
        for socket in sockets { end(socket) }
    }

    /// The service manager closes its copy when it comes to that.
    private func end(_ socket: ListeningSocket) {
        socket.shutDown()
        socket.close()
        // What else lies at its path by now is another's.
        if socket.hasFile { socket.removeFile() }
    }

    /// A program that accepts in a thread of its own expects a socket that waits, as systemd hands it over; those that poll set
    /// it themselves.
    private func wait(at sockets: [ListeningSocket]) {
        for socket in sockets { try? Descriptors.setNonBlocking(socket.descriptor, false) }
    }

    private static func reason(_ error: ListenError) -> String {
        switch error {
        case .addressInUse(let address, let holder):
            "\(holder.map { "\($0)" } ?? "another process") listens on \(address) already"
        case .unknownHost(let host, let reason): "cannot listen on \(host): \(reason)"
        case .notASocket(let path): "there is a file at \(path) that is not a socket"
        case .failed(let address, let error): "cannot listen on \(address): \(error.reason)"
        }
    }
}
