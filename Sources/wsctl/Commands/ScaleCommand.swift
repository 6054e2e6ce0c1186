import ArgumentParser
import ControlClient
import Wire

struct ScaleCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale",
        abstract: "Change the number of workers, or of a program's processes.",
        discussion: """
            What stands in wsd.yaml comes back when the service is started again; set workers.count or instances \
            there to keep it. The number of a program that was started with `wsctl start` is remembered.

            Example:
              wsctl scale 4
              wsctl scale api 2
            """)

    @Argument(
        help: ArgumentHelp(
            "The number of workers, 0 to 1024; or a program (or workers) and how many processes it is to have.",
            valueName: "target"))
    var words: [String]

    @OptionGroup var common: CommonOptions

    func validate() throws { _ = try request() }

    func perform(_ session: Session) async throws -> CommandStatus { try await session.operate(try request()) }

    private func request() throws -> ControlRequest {
        guard let last = words.last, words.count <= 2 else {
            throw ValidationError("Scale one at a time: wsctl scale 4, or wsctl scale api 2.")
        }
        guard let count = Int(last), count >= 0 else {
            let example = words.count == 1 ? "wsctl scale \(last) 2" : "wsctl scale \(words[0]) 2"
            throw ValidationError("How many? A whole number is missing, as in: \(PlainText.harmless(example))")
        }
        let selection: TargetSelection
        do {
            selection = try TargetSelection(words.count == 1 ? ["workers"] : [words[0]])
        } catch {
            throw ValidationError(error.message)
        }
        if selection.allWorkers {
            guard count <= 1024 else { throw ValidationError("The number of workers is 0 to 1024.") }
            return ControlRequest(.post, "/v1/scale", body: ControlClient.encode(ScaleBody(workers: count)))
        }
        guard selection.workers.isEmpty, !selection.includesAll else {
            throw ValidationError("Scale one program, or the workers.")
        }
        guard count >= 1 else {
            throw ValidationError("A program has at least one process. To end it: wsctl stop \(selection.programs[0])")
        }
        let request = ProgramRequest(targets: selection.programs, instances: count)
        return ControlRequest(.post, "/v1/programs/scale", body: ControlClient.encode(request))
    }
}
