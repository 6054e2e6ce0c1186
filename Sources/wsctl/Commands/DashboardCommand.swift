import ArgumentParser
import ControlClient
import Dashboard
import Glibc
import Wire

struct DashboardCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "dashboard",
        abstract: "Show the service in the browser, from a port of this machine.",
        discussion: """
            Serves the dashboard on 127.0.0.1 until Ctrl-C and prints its address, whose token lets one browser in. \
            Enter prints another address.

            Example:
              wsctl dashboard
              wsctl dashboard --port 8090 --read-only
              ssh -L 8090:127.0.0.1:8090 host wsctl dashboard --port 8090   from another machine
            """)

    @Option(help: "Port to serve on. (default: any that is free)")
    var port: Int?

    @Flag(help: "Only show: nothing can be restarted, reloaded or scaled.")
    var readOnly = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let port, !(1...65_535).contains(port) { throw ValidationError("--port is from 1 to 65535.") }
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        let session = try await session.settled()
        // Whoever has no service, or may not use it, is told here rather than in the browser.
        _ = try await session.client.value(VersionAnswer.self, ControlRequest(.get, "/v1/version"))
        let server = try await DashboardServer.listening(
            port: port ?? 0, isReadOnly: readOnly, client: session.client)
        try tell(server, session)
        followEnter(server, session)
        try await server.run()
        return .success
    }

    private func tell(_ server: DashboardServer, _ session: Session) throws {
        guard !session.json else { return try print(server, session) }
        try session.show(["The dashboard\(readOnly ? " (read only)" : "") is at"])
        try print(server, session)
        try session.show(["The address lets one browser in. Enter prints another one, Ctrl-C ends the dashboard."])
    }

    private func print(_ server: DashboardServer, _ session: Session) throws {
        let address = server.newAddress()
        if session.json {
            try session.output.json(ControlClient.encode(Address(address: address, port: server.port)))
        } else {
            try session.show(["  \(address)"])
        }
    }

    private struct Address: Encodable {
        var address: String
        var port: Int
    }

    /// On a thread of its own, since reading standard input blocks. Ends with the input.
    private func followEnter(_ server: DashboardServer, _ session: Session) {
        // In the background of a shell reading fails rather than stops the program (termios(3): SIGTTIN).
        signal(SIGTTIN, SIG_IGN)
        let command = self
        let context = Unmanaged.passRetained(
            EnterFollower {
                do {
                    try command.print(server, session)
                    return true
                } catch {
                    return false
                }
            })
        var thread = pthread_t()
        let created = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<EnterFollower>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        if created == 0 {
            pthread_detach(thread)
        } else {
            context.release()
        }
    }
}

/// Calls back for each line of standard input.
private final class EnterFollower: Sendable {
    private let entered: @Sendable () -> Bool

    init(_ entered: @escaping @Sendable () -> Bool) {
        self.entered = entered
    }

    func run() {
        // Byte by byte: however long a line is, none of it is kept.
        while true {
            switch getchar() {
            case EOF: return
            case Int32(UInt8(ascii: "\n")): guard entered() else { return }
            default: break
            }
        }
    }
}
