import ArgumentParser
import ControlClient
import Model
import Wire

struct DisconnectCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "disconnect",
        abstract: "Close a client, or all connections of a user, for good.",
        discussion: """
            Clients close with 4003 unless --code says otherwise, and do not come back by themselves; kick closes with 1008.

            Example:
              wsctl disconnect --user ada --reason 'Your account is closed'
              wsctl disconnect 3f0q7w1m2k9d-1c
            """)

    @Argument(help: "Id of the client, as wsctl clients shows it.")
    var client: String?

    @Option(help: "All connections of this user instead.")
    var user: String?

    @Option(help: "Close code: 1000, or 3000 to 4999.")
    var code: UInt16?

    @Option(help: "What the clients are told, up to 123 bytes.")
    var reason: String?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (client == nil) != (user == nil) else { throw ValidationError("Name a client, or a user with --user.") }
        if let code, code != 1000, !(3000...4999).contains(code) {
            throw ValidationError("--code is 1000, or from 3000 to 4999.")
        }
        if let reason, reason.utf8.count > BackendClose.maxReason {
            throw ValidationError("--reason may have up to \(BackendClose.maxReason) bytes.")
        }
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        let path =
            user.map { "/v1/api/users/\(PercentEncoding.encode($0))/disconnect" }
            ?? "/v1/api/clients/\(PercentEncoding.encode(client ?? ""))/disconnect"
        let body = ControlClient.encode(Body(code: code, reason: reason))
        let answer = try await session.client.bytes(ControlRequest(.post, path, body: body))
        let count = try ControlClient.decode(Answer.self, answer).clients
        guard count > 0 else {
            let whom = user.map { "User \($0) has no connection." } ?? "There is no client \(client ?? "")."
            throw ControlClientError.refused(
                status: 404, ControlError(code: "not_found", message: "\(whom) `wsctl clients` lists them."))
        }
        if session.json {
            try session.output.json(answer)
        } else {
            try session.show(["Closed \(Humanized.counted(count, "connection"))."])
        }
        return .success
    }

    private struct Body: Encodable {
        var code: UInt16?
        var reason: String?
    }

    private struct Answer: Decodable {
        var clients: Int
    }
}
