import ControlClient
import Glibc

extension CommandStatus {
    /// How a command ends that threw this; says why on standard error. Throws on what is none of the commands' own errors.
    static func told(of error: any Error) throws -> CommandStatus {
        switch error {
        case let error as ControlClientError:
            let lines = error.description.split(separator: "\n").map { PlainText.harmless(String($0)) }
            try? Output.error.line("wsctl: \(lines.joined(separator: "\n"))")
            if case .notRunning = error, BackgroundService.remembersPrograms() {
                try? Output.error.line(
                    "It remembers programs: `wsctl resurrect` starts it with them in the background.")
            }
            return CommandStatus(error)
        case let error as KeyComplaint:
            try? Output.error.line("wsctl: \(error.message)")
            return .refused
        case let error as StartComplaint:
            let lines = error.message.split(separator: "\n").map { PlainText.harmless(String($0)) }
            try? Output.error.line("wsctl: \(lines.joined(separator: "\n"))")
            return error.status
        case let error as InstallRefusal:
            try? Output.error.line("wsctl: \(error.message)")
            return error.status
        case OutputError.closed:
            return .success
        case OutputError.failed(let code):
            try? Output.error.line("wsctl: cannot write the output: \(String(cString: strerror(code))).")
            return .outputFailed
        default:
            throw error
        }
    }
}
