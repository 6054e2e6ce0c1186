import Glibc
import Hub
import LinuxSystem
import Model
import Worker

/// The parts of the service that only the supervisor starts.
enum ChildProgram: String {
    case hub
    case worker
    /// Becomes a process of a program.
    case exec
    /// Ends what programs leave behind when the supervisor is killed.
    case `guard`

    init?(firstArgument: String?) {
        guard let role = firstArgument.flatMap(Self.init(rawValue:)) else { return nil }
        self = role
    }

    func run() -> Never {
        guard self == .exec ? ProgramExec.isStartedRight : Self.hasLink else { explain() }
        switch self {
        case .hub: HubMain.run()
        case .worker: WorkerMain.run()
        case .exec: ProgramExec.run()
        case .guard: ProgramGuard.run()
        }
    }

    /// The supervisor hands its children the link as descriptor 3; a program's process has none.
    private static var hasLink: Bool {
        var status = stat()
        return fstat(3, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    private func explain() -> Never {
        let sentence = """
            wsd: `wsd \(rawValue)` is a part of the service that `wsd` starts by itself; it cannot run alone.
            Start the service with `wsd` (see `wsd --help`) and look at it with `wsctl status`.

            """
        sentence.withCString { _ = write(STDERR_FILENO, $0, strlen($0)) }
        exit(ExitCode.usage)
    }
}
