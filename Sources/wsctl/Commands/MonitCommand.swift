import ArgumentParser
import ControlClient
import Glibc
import Wire

struct MonitCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "monit",
        abstract: "Watch processes and logs on the whole terminal, and change them by keys.",
        discussion: """
            A list of workers and programs with what they use, and the log of the one that is selected. Arrow keys \
            select, l opens the log, ? lists all keys, q ends it.

            Example:
              wsctl monit
              ssh -t host wsctl monit
            """)

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        let environment = Environment.variables()
        if let complaint = complaint(session, environment) {
            session.remark("wsctl: \(complaint)")
            return .usage
        }
        // Whoever has no service, or may not use it, is told here rather than on a screen of its own.
        let status = try await session.client.value(ServiceStatus.self, ControlRequest(.get, "/v1/status"))
        var run = MonitRun(
            client: client(session, status), output: session.output, style: session.style,
            isUTF8: MonitLocale.isUTF8(environment), status: status)
        do {
            try await run.run()
        } catch OutputError.failed(EIO) {
            // The terminal is gone (write(2)).
        }
        return .success
    }

    private func complaint(_ session: Session, _ environment: [String: String]) -> String? {
        if session.json { return "monit draws on a terminal: for programs there is `wsctl status --json`." }
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else {
            return "monit needs a terminal for input and output: elsewhere there is `wsctl status`, over ssh `ssh -t`."
        }
        let terminal = environment["TERM"] ?? ""
        guard !terminal.isEmpty, terminal != "dumb" else {
            return
                "This terminal cannot move its cursor (TERM is \(terminal.isEmpty ? "not set" : "dumb")): use `wsctl status`."
        }
        return nil
    }

    /// Stays with the service that it began with: another one must not get a key that was meant for this one.
    private func client(_ session: Session, _ status: ServiceStatus) -> ControlClient {
        var socket = session.client.socket
        if socket.candidates.contains(status.controlSocket) {
            socket = ControlSocket(candidates: [status.controlSocket])
        }
        return ControlClient(socket: socket, limits: .watching)
    }
}

/// What the terminal's characters are (locale(7)).
enum MonitLocale {
    static func isUTF8(_ environment: [String: String]) -> Bool {
        let chosen = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        let name = (chosen ?? "").lowercased()
        return name.contains("utf-8") || name.contains("utf8")
    }
}
