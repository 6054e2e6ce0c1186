import ControlClient
import Wire

/// Something that the service is asked to do.
struct MonitRequest: Equatable, Sendable {
    /// `restart api`.
    var label: String
    var call: ControlRequest
    /// What is asked before; `nil`: nothing.
    var question: String?
    /// The service is gone afterwards, as asked.
    var endsService = false
}

/// Why a key does nothing here.
struct MonitComplaint: Error, Equatable {
    var message: String
}

/// Keys that change something.
enum MonitVerb: String, Equatable {
    case restart, reload, stop, start

    init?(_ key: Character) {
        switch key {
        case "r": self = .restart
        case "R": self = .reload
        case "x": self = .stop
        case "S": self = .start
        default: return nil
        }
    }

    func request(_ row: MonitRow) throws(MonitComplaint) -> MonitRequest {
        switch row.subject {
        case .service: return try serviceRequest()
        case .supervisor, .hub:
            throw MonitComplaint(message: "The \(row.name) is a part of wsd: only workers and programs can be changed.")
        case .worker(let number): return try workerRequest(number)
        case .program(let name): return program(name, question: name)
        case .process(let program, let process):
            // The others know whole programs only.
            return self == .restart
                ? self.program(process, question: process) : self.program(program, question: "all of \(program)")
        }
    }

    private func serviceRequest() throws(MonitComplaint) -> MonitRequest {
        switch self {
        case .restart:
            return MonitRequest(
                label: "restart", call: ControlRequest(.post, "/v1/restart"), question: "Replace all workers?")
        case .reload:
            return MonitRequest(
                label: "reload", call: ControlRequest(.post, "/v1/reload"),
                question: "Read the configuration again and replace all workers?")
        case .stop:
            return MonitRequest(
                label: "stop", call: ControlRequest(.post, "/v1/stop"),
                question: "End the service with all programs and clients?", endsService: true)
        case .start: throw MonitComplaint(message: "The service runs. S starts a program that is stopped.")
        }
    }

    private func workerRequest(_ number: Int) throws(MonitComplaint) -> MonitRequest {
        switch self {
        case .restart, .reload:
            return MonitRequest(
                label: "restart worker \(number)",
                call: ControlRequest(.post, "/v1/restart", query: [("worker", "\(number)")]))
        case .stop, .start:
            throw MonitComplaint(message: "The number of workers is changed with `wsctl scale N`.")
        }
    }

    private func program(_ target: String, question: String) -> MonitRequest {
        MonitRequest(
            label: "\(rawValue) \(target)",
            call: ControlRequest(
                .post, "/v1/programs/\(rawValue)",
                body: ControlClient.encode(ProgramRequest(targets: [target]))),
            question: self == .stop ? "Stop \(question)?" : nil)
    }
}
