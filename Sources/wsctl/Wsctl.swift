import ArgumentParser
import Glibc
import Model

/// The remote control of a running wsd.
@main
struct Wsctl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wsctl",
        abstract: "Look into a running wsd and change it.",
        discussion: """
            Examples:
              wsctl status                   everything on one screen
              wsctl start -- node app.js     run a program, and keep it running
              wsctl list                     the programs, and how they are
              wsctl logs -f --level warning  follow what goes wrong
              wsctl trace --user ada         watch what happens to somebody, live
              wsctl monit                    all of it on the terminal, live, with keys to change it
              wsctl dashboard                all of it in the browser
              wsctl reload                   new configuration, new workers, nobody refused
              wsctl doctor                   find out what is wrong and what to do

            It finds your own wsd, then the system's; --socket PATH or WSD_SOCKET names another one.
            """,
        version: WsdVersion.current,
        groupedSubcommands: [
            CommandGroup(
                name: "Inspection",
                subcommands: [
                    StatusCommand.self, WorkersCommand.self, ClientsCommand.self, UserCommand.self, RoomsCommand.self,
                    PresenceCommand.self, HistoryCommand.self, StatsCommand.self, TraceCommand.self, LogsCommand.self,
                    EventsCommand.self,
                    MonitCommand.self, DashboardCommand.self, ConfigCommand.self, VersionCommand.self,
                ]),
            CommandGroup(
                name: "Programs",
                subcommands: [
                    StartCommand.self, ListCommand.self, DescribeCommand.self, EnvCommand.self, DeleteCommand.self,
                    SignalCommand.self, ResetCommand.self, FlushCommand.self, SaveCommand.self, ResurrectCommand.self,
                    ImportCommand.self,
                ]),
            CommandGroup(
                name: "Operation",
                subcommands: [
                    ReloadCommand.self, RestartCommand.self, ScaleCommand.self, StopCommand.self, UpgradeCommand.self,
                ]),
            CommandGroup(
                name: "Messaging",
                subcommands: [KickCommand.self, DisconnectCommand.self, PublishCommand.self, KeyCommand.self]),
            CommandGroup(name: "Diagnosis", subcommands: [DoctorCommand.self]),
            CommandGroup(name: "Installation", subcommands: [InstallServiceCommand.self]),
        ])

    static func main() async {
        // Dispatch tells syslog each time that it may not raise a thread's priority, as nobody but root may.
        setenv("LIBDISPATCH_LOG", "NO", 0)
        let arguments = Invocation.normalized(Array(CommandLine.arguments.dropFirst()))
        let commands = configuration.subcommands.flatMap { command in
            [command.configuration.commandName].compactMap { $0 } + command.configuration.aliases
        }
        if let complaint = Invocation.complaint(arguments, commands: commands) ?? PM2Words.complaint(arguments) {
            try? Output.error.line("wsctl: \(complaint)")
            exit(withError: ArgumentParser.ExitCode(CommandStatus.usage.rawValue))
        }
        await main(arguments)
    }
}
