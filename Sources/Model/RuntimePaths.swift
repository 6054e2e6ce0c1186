/// Where the control socket and what goes with it lie. Both programs decide it with this one function.
package struct RuntimePaths: Hashable, Codable, Sendable {
    package enum Origin: String, Hashable, Codable, Sendable {
        /// Named by a flag, the environment (`WSD_SOCKET`) or the configuration.
        case chosen
        /// A system service: `/run/wsd`, or systemd's `RUNTIME_DIRECTORY`.
        case system
        /// The user's own runtime directory (`XDG_RUNTIME_DIR`).
        case user
        /// A directory of one's own under the temporary one, which others can write to: its owner must be checked.
        case temporary
    }

    package var controlSocket: String
    package var origin: Origin

    package init(controlSocket: String, origin: Origin) {
        self.controlSocket = controlSocket
        self.origin = origin
    }

    /// - Parameters:
    ///   - explicit: the path that a flag or the configuration names; `nil`: none.
    ///   - environment: the process's; empty values count as unset.
    ///   - uid: the effective user id.
    package init(explicit: String?, environment: [String: String], uid: UInt32) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        func absolute(_ name: String) -> String? { value(name).flatMap { $0.hasPrefix("/") ? $0 : nil } }
        func inside(_ directory: String) -> String { directory.hasSuffix("/") ? directory : directory + "/" }

        if let explicit = explicit ?? value("WSD_SOCKET") {
            self.init(controlSocket: explicit, origin: .chosen)
        } else if let directories = absolute("RUNTIME_DIRECTORY"), let first = directories.split(separator: ":").first {
            self.init(controlSocket: inside(String(first)) + "control.sock", origin: .system)
        } else if uid == 0 {
            self.init(controlSocket: Self.systemControlSocket, origin: .system)
        } else if let directory = absolute("XDG_RUNTIME_DIR") {
            self.init(controlSocket: inside(directory) + "wsd/control.sock", origin: .user)
        } else {
            let temporary = inside(absolute("TMPDIR") ?? "/tmp")
            self.init(controlSocket: "\(temporary)wsd-\(uid)/control.sock", origin: .temporary)
        }
    }

    /// The system service's socket, which members of its group may reach, too.
    package static let systemControlSocket = "/run/wsd/control.sock"

    /// Directory of the control socket.
    package var directory: String {
        guard let slash = controlSocket.lastIndex(of: "/") else { return "." }
        return slash == controlSocket.startIndex ? "/" : String(controlSocket[..<slash])
    }

    /// Mode of ``directory`` where it has to be made. Members of the group must reach a system service's socket.
    package var directoryMode: UInt32 { origin == .system || origin == .chosen ? 0o755 : 0o700 }

    /// Directory (mode 0700) of the sockets that only the service's own processes use. It goes with the control socket, so that
    /// two services beside one another share nothing.
    package var privateDirectory: String { controlSocket + ".d" }

    package var hubSocket: String { privateDirectory + "/hub" }

    /// Longest path of a control socket, bytes: a Unix socket's path takes 103 bytes on every system that NIO knows, and the
    /// hub's is 6 longer than this one.
    package static let maxControlSocketBytes = 97

    /// Where a client looks for a service: the own one first, then the system's.
    package static func candidates(explicit: String?, environment: [String: String], uid: UInt32) -> [String] {
        let own = RuntimePaths(explicit: explicit, environment: environment, uid: uid)
        if own.origin == .chosen || own.controlSocket == systemControlSocket { return [own.controlSocket] }
        return [own.controlSocket, systemControlSocket]
    }
}
