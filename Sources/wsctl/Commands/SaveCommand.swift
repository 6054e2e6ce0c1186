import ArgumentParser
import ControlClient
import Wire

struct SaveCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "save",
        abstract: "Say what is remembered; nothing has to be saved.",
        discussion: """
            Programs that were started with `wsctl start` are remembered as they are, with every change at once, and \
            come back with the service. To have them in wsd.yaml instead, write them under programs.

            Example:
              wsctl save
            """)

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        let remembered = try await session.listOfPrograms().filter { !$0.configured }
        if session.json {
            try session.output.json(ControlClient.encode(remembered.map(\.name)))
            return .success
        }
        guard !remembered.isEmpty else {
            try session.show(["Nothing to remember: no program was started with `wsctl start`."])
            return .success
        }
        let names = remembered.map { PlainText.harmless($0.name) }.joined(separator: ", ")
        try session.show(["Nothing has to be saved: wsd remembers every change by itself. Remembered: \(names)."])
        return .success
    }
}

struct ResurrectCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "resurrect",
        abstract: "Start the remembered programs that are stopped or failed.",
        discussion: """
            Where wsd does not run, it is started in the background first: that alone brings back what ran when it ended.

            Example:
              wsctl resurrect
            """)

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        let programs: [ProgramStatus]
        do {
            programs = try await session.listOfPrograms()
        } catch ControlClientError.notRunning {
            try await session.startService(
                socket: common.socket, folder: WorkingFolder.current() ?? "/", environment: Environment.variables())
            programs = try await session.listOfPrograms()
        }
        let remembered = programs.filter { !$0.configured }
        let down = remembered.filter { [.stopped, .failed].contains($0.state) }.map(\.name)
        guard down.isEmpty else { return try await session.programs("start", ProgramRequest(targets: down)) }
        session.remark(
            remembered.isEmpty
                ? "Nothing is remembered: no program was started with `wsctl start`."
                : "What is remembered is started: \(remembered.map { PlainText.harmless($0.name) }.joined(separator: ", ")). How it is: wsctl list"
        )
        return .success
    }
}
