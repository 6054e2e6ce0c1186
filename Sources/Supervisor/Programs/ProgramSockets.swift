import LinuxSystem
import Model

/// The sockets that are held for programs: bound when a process first needs them, and kept over its restarts.
struct ProgramSockets {
    private var held: [String: [ListenAddress: [ListeningSocket]]] = [:]

    /// The sockets of these addresses, in their order; those of others are closed.
    ///
    /// - Throws: a sentence; what was held stays.
    mutating func sockets(of program: String, _ addresses: [ListenAddress]) throws(ProgramSystemError)
        -> [ListeningSocket]
    {
        guard !addresses.isEmpty || held[program] != nil else { return [] }
        var own = held[program] ?? [:]
        for address in addresses where own[address] == nil {
            do throws(ListenError) {
                own[address] = try ListeningSocket.bind(address)
            } catch {
                held[program] = own
                throw ProgramSystemError(description: Self.reason(error))
            }
            // A program that accepts in a thread of its own expects a socket that waits, as systemd hands it over; those that
            // poll set it themselves.
            for socket in own[address] ?? [] { try? Descriptors.setNonBlocking(socket.descriptor, false) }
        }
        for (address, sockets) in own where !addresses.contains(address) {
            close(sockets)
            own[address] = nil
        }
        held[program] = own
        return addresses.flatMap { own[$0] ?? [] }
    }

    mutating func close(_ program: String) {
        for sockets in (held.removeValue(forKey: program) ?? [:]).values { close(sockets) }
    }

    mutating func closeAll() {
        for program in held.keys.sorted() { close(program) }
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

    private func close(_ sockets: [ListeningSocket]) {
        for socket in sockets {
            socket.close()
            socket.removeFile()
        }
    }
}
