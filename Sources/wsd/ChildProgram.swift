import Glibc
import Hub
import Model
import Worker

/// The parts of the service that only the supervisor starts.
enum ChildProgram: String {
    case hub
    case worker

    init?(firstArgument: String?) {
        guard let role = firstArgument.flatMap(Self.init(rawValue:)) else { return nil }
        self = role
    }

    func run() -> Never {
        guard Self.hasLink else { explain() }
        switch self {
        case .hub: HubMain.run()
        case .worker: WorkerMain.run()
        }
    }

    /// The supervisor hands its children the link as descriptor 3.
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
