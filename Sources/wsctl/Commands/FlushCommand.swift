import ArgumentParser
import ControlClient
import Wire

struct FlushCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "flush",
        abstract: "Forget the log lines of programs, in memory and in files.",
        discussion: """
            Without a target: those of all programs, of deleted ones, too. What wsd and its workers say is kept.

            Example:
              wsctl flush api
            """)

    @Argument(help: ArgumentHelp("Names or numbers of programs, or all.", valueName: "target"))
    var targets: [String] = []

    @OptionGroup var common: CommonOptions

    func validate() throws { _ = try programs() }

    func perform(_ session: Session) async throws -> CommandStatus {
        let body = ControlClient.encode(ProgramRequest(targets: try programs()))
        let answer = try await session.client.bytes(ControlRequest(.post, "/v1/logs/flush", body: body))
        guard !session.json else {
            try session.output.json(answer)
            return .success
        }
        try session.show([Self.text(try ControlClient.decode(LogsFlushed.self, answer))])
        return .success
    }

    static func text(_ flushed: LogsFlushed) -> String {
        let whose = flushed.programs.map { $0.map(PlainText.harmless).joined(separator: ", ") } ?? "all programs"
        let files = flushed.files == 0 ? "no file" : flushed.files == 1 ? "1 file" : "\(flushed.files) files"
        let size = flushed.files == 0 ? "" : " (\(Humanized.bytes(flushed.bytes)))"
        return "Forgotten of \(whose): \(flushed.lines) lines in memory, \(files)\(size)."
    }

    private func programs() throws -> [String] {
        guard !targets.isEmpty else { return ["all"] }
        return try TargetSelection.programs(targets, instead: "what they say is kept.")
    }
}
