import ArgumentParser
import ControlClient
import Wire

struct UpgradeCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Replace wsd's own program by a new one without stopping anything.",
        discussion: """
            The new program is tried first: it reads the configuration and what the running one would hand over. Then it \
            takes the process over: the same pid, the same programs, workers, sockets and clients. Until that moment a \
            failure leaves the running one as it was.

            Workers and the hub go on as they are. --all replaces them, too, one after the other, as `wsctl restart` \
            does: clients are closed with 1012 and come back. Programs are never touched.

            Example:
              wsctl upgrade
              wsctl upgrade --check
              wsctl upgrade --program ./wsd --all
            """,
        aliases: ["update"])

    @Option(
        help: ArgumentHelp(
            "The new program. (default: the file that the running one was started from)", valueName: "path"),
        completion: .file())
    var program: String?

    @Flag(help: "Only try whether the new program could take over.")
    var check = false

    @Flag(help: "Replace workers and hub as well.")
    var all = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if check, all { throw ValidationError("--check changes nothing; leave --all out.") }
        if program == "" { throw ValidationError("--program takes the path of a program.") }
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        let session = try await session.settled()
        let status = try await session.upgrade(UpgradeBody(program: try path(), checkOnly: check ? true : nil))
        guard status == .success, !check else { return status }
        let service = try await session.client.value(ServiceStatus.self, ControlRequest(.get, "/v1/status"))
        guard let rest = UpgradeScreen.rest(service) else { return status }
        guard all else {
            session.remark(rest)
            return status
        }
        let ended = try await session.operate(ControlRequest(.post, "/v1/restart"))
        if ended != .success { session.remark("wsd itself has been replaced; what is named above has not.") }
        return ended
    }

    /// The service's folder is another one than the caller's.
    private func path() throws -> String? {
        guard let program, !program.hasPrefix("/") else { return program }
        guard let folder = WorkingFolder.current() else {
            throw StartComplaint("The present folder is not there any more: name --program with its whole path.")
        }
        return StartPlan.absolute(program, from: folder)
    }
}
