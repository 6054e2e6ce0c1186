import Glibc
import LinuxSystem
import Model

/// Everything that is bound before the first child exists.
struct ServiceSockets: Codable {
    var control: UnixListener
    var listeners: [ListeningSocket]
    /// Those of `tls.redirectFrom`.
    var redirects: [ListeningSocket] = []
    var paths: RuntimePaths
    /// Group whose members may do everything.
    var group: UInt32?
    /// Sentences for the log.
    var warnings: [String] = []
    /// Addresses whose sockets the service manager had held over a restart.
    var kept: [ListenAddress] = []
    /// Sockets of programs that the service manager had held.
    var programs: [SystemdSockets.Inherited] = []

    private enum CodingKeys: CodingKey {
        case control, listeners, redirects, paths, group
    }

    /// Takes the control socket first: whoever holds it is the running service.
    static func open(_ configuration: WsdConfiguration, environment: [String: String]) -> Result<Self, StartFailure> {
        do throws(StartFailure) {
            if let problem = problem(configuration.control, environment: environment) { throw problem }
            let paths = RuntimePaths(explicit: configuration.control.socket, environment: environment, uid: geteuid())
            do throws(RuntimeDirectoryError) {
                try RuntimeDirectory.prepare(paths)
            } catch {
                throw StartFailure(exitCode: ExitCode.unavailable, message: error.description)
            }
            var sockets = try controlSocket(configuration.control, paths)
            do throws(StartFailure) {
                if configuration.workers.areOff {
                    try sockets.refuseHanded()
                } else {
                    try sockets.listen(on: configuration.listen, redirectFrom: configuration.tls.redirectFrom)
                }
            } catch {
                sockets.control.close()
                rmdir(paths.privateDirectory)
                throw error
            }
            return .success(sockets)
        } catch {
            return .failure(error)
        }
    }

    /// What stays open for the program that takes this process over.
    var descriptors: [Int32] { control.descriptors + (listeners + redirects).map(\.descriptor) }

    /// What is wrong with the configuration of the control socket on this machine.
    static func problem(_ configuration: ControlConfiguration, environment: [String: String]) -> StartFailure? {
        let path = RuntimePaths(explicit: configuration.socket, environment: environment, uid: geteuid()).controlSocket
        if path.utf8.count > RuntimePaths.maxControlSocketBytes {
            let sentence =
                "\(path) is too long for a control socket: at most \(RuntimePaths.maxControlSocketBytes) bytes. "
                + "Name a shorter one with --socket."
            return StartFailure(exitCode: ExitCode.configuration, message: sentence)
        }
        guard let group = configuration.group, UserGroups.id(ofGroup: group) == nil else { return nil }
        let sentence = "control.group: there is no group “\(group)” on this machine. Make it with `groupadd \(group)`."
        return StartFailure(exitCode: ExitCode.configuration, message: sentence)
    }

    /// Frees the paths: the files of the sockets and the private directory.
    ///
    /// - Parameter closingControl: `false` when the event loop has the control socket's descriptor.
    func close(closingControl: Bool) {
        for listener in listeners + redirects { listener.removeFile() }
        unlink(paths.hubSocket)
        unlink(paths.hubSocket + ".lock")
        rmdir(paths.privateDirectory)
        control.close(closingDescriptor: closingControl)
    }

    /// The socket's mode is the first check: 0600, or 0660 and of the group that is configured. It is 0666 where the second
    /// check (credentials of each connection) has to do it alone: with `control.readOnlyOthers`, and when this user may not
    /// give the file to the group.
    private static func controlSocket(
        _ configuration: ControlConfiguration, _ paths: RuntimePaths
    ) throws(StartFailure) -> ServiceSockets {
        let group = configuration.group.flatMap(UserGroups.id(ofGroup:))
        let mode: UInt32 = configuration.readOnlyOthers ? 0o666 : group == nil ? 0o600 : 0o660
        do throws(UnixListenerError) {
            let control = try UnixListener.bind(path: paths.controlSocket, mode: mode, group: group)
            return ServiceSockets(control: control, listeners: [], paths: paths, group: group)
        } catch .failed(let error) where group != nil && error.code == EPERM {
            do throws(UnixListenerError) {
                let control = try UnixListener.bind(path: paths.controlSocket, mode: 0o666)
                let warning =
                    "The control socket cannot be given to the configured group; each connection is checked instead"
                return ServiceSockets(control: control, listeners: [], paths: paths, group: group, warnings: [warning])
            } catch {
                throw StartFailure(exitCode: ExitCode.unavailable, message: error.description)
            }
        } catch {
            throw StartFailure(exitCode: ExitCode.unavailable, message: error.description)
        }
    }

    /// Sockets of socket units where there are any; otherwise those of a former process that the service manager held, and
    /// new ones for the other addresses, which it is asked to hold from now on.
    private mutating func listen(
        on addresses: [ListenAddress], redirectFrom: [ListenAddress]
    ) throws(StartFailure) {
        let addresses = addresses + redirectFrom
        let plan: StoredSockets.Plan
        do throws(SystemError) {
            plan = StoredSockets.plan(try SystemdSockets.inherited(), for: addresses)
        } catch {
            throw StartFailure(exitCode: ExitCode.unavailable, message: error.description)
        }
        programs = plan.programs
        for stale in plan.stale { stale.socket.close() }
        ServiceManager.dropStored(plan.staleNames)
        guard plan.activated.isEmpty else {
            redirects = plan.activated.filter { redirectFrom.contains($0.address) }
            listeners = plan.activated.filter { !redirectFrom.contains($0.address) }
            let missing = redirectFrom.filter { address in !redirects.contains { $0.address == address } }
            if !missing.isEmpty {
                let names = missing.map(\.description).joined(separator: ", ")
                warnings.append("tls.redirectFrom: no socket unit listens on \(names); add a ListenStream= for it")
            }
            return
        }
        let patience = plan.staleNames.isEmpty ? .zero : Self.dropTime
        let bound = try Self.bind(addresses.filter { plan.kept[$0] == nil }, patience: patience)
        for address in addresses {
            let sockets = plan.kept[address] ?? bound[address, default: []].map { Self.stored($0, address) }
            if plan.kept[address] != nil { kept.append(address) }
            if redirectFrom.contains(address) { redirects += sockets } else { listeners += sockets }
        }
    }

    /// Without workers nobody would answer: what was handed in is closed, and what was held for the service dropped.
    private mutating func refuseHanded() throws(StartFailure) {
        let plan: StoredSockets.Plan
        do throws(SystemError) {
            plan = StoredSockets.plan(try SystemdSockets.inherited(), for: [])
        } catch {
            throw StartFailure(exitCode: ExitCode.unavailable, message: error.description)
        }
        programs = plan.programs
        for socket in plan.stale.map(\.socket) + plan.activated { socket.close() }
        ServiceManager.dropStored(plan.staleNames)
        guard !plan.activated.isEmpty else { return }
        let names = plan.activated.map(\.address.description).joined(separator: ", ")
        warnings.append(
            "workers.count is 0: nobody listens on \(names), which a socket unit handed over; disable that unit")
    }

    /// How long the sockets that the service manager was told to drop may be in the way: it has read that it shall close
    /// them, and closes them later, in a process of its own (from systemd 254).
    private static let dropTime = Duration.seconds(5)

    /// - Parameter patience: how long addresses that are in use are tried again.
    static func bind(
        _ addresses: [ListenAddress], patience: Duration, pause: () -> Void = { usleep(10_000) }
    ) throws(StartFailure) -> [ListenAddress: [ListeningSocket]] {
        let deadline = MonotonicTime.now() + patience
        var bound: [ListenAddress: [ListeningSocket]] = [:]
        for address in addresses {
            do throws(ListenError) {
                bound[address] = try bind(address, until: deadline, pause: pause)
            } catch {
                for listener in bound.values.joined() {
                    listener.close()
                    listener.removeFile()
                }
                throw StartFailure(exitCode: ExitCode.unavailable, message: error.description)
            }
        }
        return bound
    }

    private static func bind(
        _ address: ListenAddress, until deadline: MonotonicTime, pause: () -> Void
    ) throws(ListenError) -> [ListeningSocket] {
        while true {
            do throws(ListenError) {
                return try ListeningSocket.bind(address)
            } catch .addressInUse where MonotonicTime.now() < deadline {
                pause()
            }
        }
    }

    /// A Unix socket that is held keeps its file: the next process takes the socket back as it is.
    private static func stored(_ socket: ListeningSocket, _ address: ListenAddress) -> ListeningSocket {
        var socket = socket
        if let name = StoredSockets.name(of: address), ServiceManager.store(socket.descriptor, name: name) {
            socket.ownsFile = false
        }
        return socket
    }
}
