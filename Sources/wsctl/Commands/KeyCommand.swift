import ArgumentParser
import ControlClient
import Glibc
import Model

/// Keys of the backend's HTTP API. Needs no running service.
struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Make keys for the backend's HTTP API.",
        discussion: """
            The service knows only the hash of a key: what stands in wsd.yaml opens nothing.

            Example:
              wsctl key new web --allow publish,observe
              wsctl key hash <key.txt
            """,
        subcommands: [New.self, Hash.self])

    struct New: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key, and the lines for wsd.yaml.",
            discussion: """
                The key is shown this once and stored nowhere. Rights:
                  publish  publish, broadcast, send to users
                  manage   disconnect, subscribe, unsubscribe, remove history
                  observe  presence, history, rooms, counts, live logs and figures

                Example:
                  wsctl key new web --allow publish,observe
                """)

        @Argument(help: "What stands in logs: 1 to 64 letters, digits, dots, _ or -.")
        var name: String

        @Option(help: ArgumentHelp("What it is good for, with commas between; otherwise all.", valueName: "rights"))
        var allow: String?

        @Flag(help: "Print JSON for programs.")
        var json = false

        func validate() throws {
            if let complaint = KeyScreen.complaint(aboutName: name) { throw ValidationError(complaint) }
            do throws(KeyComplaint) {
                _ = try KeyScreen.rights(allow)
            } catch {
                throw ValidationError(error.message)
            }
        }

        func run() throws {
            try KeyCommand.finish {
                // The kernel's: getrandom(2).
                var generator = SystemRandomNumberGenerator()
                let made = KeyScreen(name: name, rights: try KeyScreen.rights(allow), using: &generator)
                if json {
                    try Output.standard.json(ControlClient.encode(made.answer))
                } else {
                    try Output.standard.lines(made.lines)
                }
            }
        }
    }

    struct Hash: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hash a key that you have, from standard input.",
            discussion: """
                One line break at its end does not count.

                Example:
                  wsctl key hash <key.txt
                """)

        @Flag(help: "Print JSON for programs.")
        var json = false

        func run() throws {
            try KeyCommand.finish {
                if isatty(STDIN_FILENO) == 1 {
                    try? Output.error.line("Type the key and Enter, then Ctrl-D; it shows as you type.")
                }
                let hash = KeyScreen.hash(of: try KeyScreen.key(inInput: try StandardInput.text("key")))
                if json {
                    try Output.standard.json(ControlClient.encode(["sha256": hash]))
                } else {
                    try Output.standard.line(hash)
                }
            }
        }
    }

    /// Ends as the commands do that ask the service.
    private static func finish(_ body: () throws -> Void) throws {
        signal(SIGPIPE, SIG_IGN)
        var status = CommandStatus.success
        do {
            try body()
        } catch {
            status = try CommandStatus.told(of: error)
        }
        throw ArgumentParser.ExitCode(status.rawValue)
    }
}
