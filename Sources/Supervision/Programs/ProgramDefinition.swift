package import Model

/// A program as it is known, whether or not it runs.
package struct ProgramDefinition: Codable, Sendable, Equatable {
    package enum Origin: String, Codable, Sendable {
        /// `programs:` of the configuration: what is done to it at run time is forgotten when the service ends.
        case file
        /// `wsctl start`: remembered in the state directory.
        case runTime
    }

    package var configuration: ProgramConfiguration
    package var origin: Origin
    /// It is to run.
    package var isWanted: Bool
    /// What an operator may type instead of the name; counts from 1, kept as long as the program is known. `nil`: the next free.
    package var number: Int?

    package init(configuration: ProgramConfiguration, origin: Origin, isWanted: Bool = true, number: Int? = nil) {
        self.configuration = configuration
        self.origin = origin
        self.isWanted = isWanted
        self.number = number
    }
}

/// Which programs or processes a request is about.
package struct ProgramTarget: Hashable, Codable, Sendable {
    package var program: String
    /// `nil`: all its processes.
    package var number: Int?

    package init(program: String, number: Int? = nil) {
        self.program = program
        self.number = number
    }
}

/// Something that takes time, on one program. At most one at a time for each program.
package enum ProgramOperation: Codable, Sendable, Equatable {
    case start
    case stop
    /// Stop, then start; `number` `nil`: all processes at once.
    case restart(number: Int?)
    /// One process after the other, without a gap where it has `listen`.
    case reload
    case scale(to: Int)
    /// Stop, and forget it.
    case delete

    package var word: String {
        switch self {
        case .start: "start"
        case .stop: "stop"
        case .restart: "restart"
        case .reload: "reload"
        case .scale: "scale"
        case .delete: "delete"
        }
    }
}

/// Why a request about programs was not carried out. Nothing has changed.
package enum ProgramRefusal: Error, Codable, Sendable, Equatable, CustomStringConvertible {
    /// 404.
    case unknown(String)
    /// 404.
    case noSuchProcess(ProgramProcessID)
    /// 409.
    case exists(String)
    /// Another operation on it runs (409).
    case busy(program: String, ProgramOperation)
    /// 409: a program of the configuration cannot be deleted at run time.
    case inConfiguration(String)
    /// 409: others depend on it.
    case needed(String, by: [String])
    /// 422: a sentence (a dependency that is missing, or a circle).
    case impossible(String)
    /// 409: it has no process that runs.
    case notRunning(String)
    /// 503.
    case stopping

    package var description: String {
        switch self {
        case .unknown(let name): "There is no program “\(name)”. `wsctl list` shows those there are."
        case .noSuchProcess(let process):
            "\(process.program) has no process \(process.number). See `wsctl describe \(process.program)`."
        case .exists(let name):
            "There is a program “\(name)” already. Restart it with `wsctl restart \(name)`, or choose another --name."
        case .busy(let program, let operation):
            "\(program) is busy: \(operation.word) is running. Try again when it has finished."
        case .inConfiguration(let name):
            "\(name) stands in the configuration: take it out there, then `wsctl reload`. Until then: `wsctl stop \(name)`."
        case .needed(let name, let others): "\(others.joined(separator: ", ")) depend on \(name). Delete them first."
        case .impossible(let sentence): sentence
        case .notRunning(let name): "\(name) does not run. Start it with `wsctl start \(name)`."
        case .stopping: "The service is stopping."
        }
    }
}

/// Answer to a request. Register who waits for `id` before performing the actions.
package enum ProgramResponse: Sendable, Equatable {
    case accepted(ProgramOperationID, [ProgramAction])
    case refused(ProgramRefusal)
}
