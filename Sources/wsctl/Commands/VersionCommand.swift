import ArgumentParser
import ControlClient
import Model
import Wire

struct VersionCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "version",
        abstract: "Show the versions of wsctl and of the service.",
        discussion: """
            Example:
              wsctl version
            """)

    @OptionGroup var common: CommonOptions

    /// Both versions; the service's is left out when it is not running.
    struct Versions: Encodable {
        var wsctl = WsdVersion.current
        var wsd: String?
        var pid: Int32?
        var program: String?
        var takeovers: Int?
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        var versions = Versions()
        var failure: ControlClientError?
        do {
            let answer = try await session.client.value(VersionAnswer.self, ControlRequest(.get, "/v1/version"))
            (versions.wsd, versions.pid) = (answer.version, answer.pid)
            (versions.program, versions.takeovers) = (answer.program, answer.takeovers)
        } catch let error as ControlClientError {
            failure = error
        }
        if session.json {
            try session.output.json(ControlClient.encode(versions))
        } else {
            try session.show(["wsctl  \(versions.wsctl)"])
            if let version = versions.wsd, let pid = versions.pid {
                try session.show(["wsd    \(PlainText.harmless(version))  (pid \(pid))"])
            }
        }
        if let failure { throw failure }
        return .success
    }
}
