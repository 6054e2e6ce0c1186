import ArgumentParser
import Glibc

/// Makes wsd a service of systemd where no package does. Asks no running service.
struct InstallServiceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install-service",
        abstract: "Make wsd a service of systemd, or remove that again.",
        discussion: """
            For systems without the Debian package. Writes the units for the programs where they are, makes the user wsd and a
            configuration that listens on this machine only, and starts the service, now and at every boot. Says each step; may
            be run again, after an upgrade for instance.

            Examples:
              sudo wsctl install-service
              sudo wsctl install-service --dry-run
              wsctl install-service --user            a service of your own
              sudo wsctl install-service --uninstall
            """)

    @Flag(help: "A service of your own, without root (systemctl --user).")
    var user = false

    @Option(
        help: ArgumentHelp(
            "Run the service as this user, who must exist; otherwise as wsd, who is made.", valueName: "name"))
    var runAs: String?

    @Flag(help: "Install it, and do not start it, neither now nor at boot.")
    var noStart = false

    @Flag(help: "Stop the service and remove what was installed; configuration and histories stay.")
    var uninstall = false

    @Flag(help: "With --uninstall: remove configuration, histories, logs and the user wsd as well.")
    var purge = false

    @Flag(help: "Say what would be done, and do nothing.")
    var dryRun = false

    func validate() throws {
        if purge, !uninstall { throw ValidationError("--purge goes with --uninstall.") }
        if uninstall, noStart { throw ValidationError("--no-start does not go with --uninstall.") }
        if user, runAs != nil { throw ValidationError("--run-as does not go with --user: it runs as you.") }
    }

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        var options = InstallOptions(isUser: user, starts: !noStart, isDry: dryRun, purges: purge)
        if let runAs { options.account = runAs }
        var status = CommandStatus.success
        do {
            try perform(options)
        } catch {
            status = try CommandStatus.told(of: error)
        }
        throw ArgumentParser.ExitCode(status.rawValue)
    }

    private func perform(_ options: InstallOptions) throws {
        let facts = InstallFacts.gathered(options)
        let plan =
            uninstall ? try InstallPlan.removing(options, facts) : try InstallPlan.installing(options, facts)
        if dryRun { try Output.standard.line("This would be done:") }
        for step in plan.steps {
            try Output.standard.line("  \(step.sentence)")
            if !dryRun { try InstallWork.perform(step) }
        }
        if !dryRun { try Output.standard.lines(plan.closing) }
    }
}
