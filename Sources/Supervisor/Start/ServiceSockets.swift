import Glibc
import LinuxSystem
import Model

/// Everything that is bound before the first child exists.
struct ServiceSockets {
    var control: UnixListener
    var listeners: [ListeningSocket]
    var paths: RuntimePaths
    /// Group whose members may do everything.
    var group: UInt32?
    /// Sentences for the log.
    var warnings: [String] = []

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
                sockets.listeners = try listeners(configuration.listen)
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
        for listener in listeners { listener.removeFile() }
        unlink(paths.hubSocket)
        unlink(paths.hubSocket + ".lock")
        rmdir(paths.privateDirectory)
        control.close(closingDescriptor: closingControl)
    }

    /// The socket's mode is the first check: 0660 and, where a group is configured, of that group. It is 0666 where the second
    /// check (credentials of each connection) has to do it alone: with `control.readOnlyOthers`, and when this user may not
    /// give the file to the group.
    private static func controlSocket(
        _ configuration: ControlConfiguration, _ paths: RuntimePaths
    ) throws(StartFailure) -> ServiceSockets {
        let group = configuration.group.flatMap(UserGroups.id(ofGroup:))
        let mode: UInt32 = configuration.readOnlyOthers ? 0o666 : 0o660
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

    /// systemd's sockets where there are any, otherwise our own.
    private static func listeners(_ addresses: [ListenAddress]) throws(StartFailure) -> [ListeningSocket] {
        do throws(SystemError) {
            let inherited = try SystemdSockets.inherited()
            if !inherited.isEmpty { return inherited.map(\.socket) }
        } catch {
            throw StartFailure(exitCode: ExitCode.unavailable, message: error.description)
        }
        var bound: [ListeningSocket] = []
        for address in addresses {
            do throws(ListenError) {
                bound += try ListeningSocket.bind(address)
            } catch {
                for listener in bound {
                    listener.close()
                    listener.removeFile()
                }
                throw StartFailure(exitCode: ExitCode.unavailable, message: error.description)
            }
        }
        return bound
    }
}
