internal import ConfigurationFile
import HTTPTypes
import Model
import Supervision
import Wire

/// What can be asked about a program that is known.
enum ProgramVerb: Sendable, Equatable {
    case start, stop, restart, reload, delete, reset
    case scale(Int)
    case signal(Int32)

    var word: String {
        switch self {
        case .start: "start"
        case .stop: "stop"
        case .restart: "restart"
        case .reload: "reload"
        case .delete: "delete"
        case .reset: "reset"
        case .scale(let count): "scale to \(count)"
        case .signal(let signal): SignalName.text(signal) ?? "signal \(signal)"
        }
    }

    /// What is done to something that is named.
    func text(_ name: String) -> String {
        switch self {
        case .scale(let count): "scale \(name) to \(count)"
        case .signal: "\(word) to \(name)"
        case .start, .stop, .restart, .reload, .delete, .reset: "\(word) \(name)"
        }
    }

    /// `api was …`.
    var past: String {
        switch self {
        case .start: "started"
        case .stop: "stopped"
        case .restart: "restarted"
        case .reload: "reloaded"
        case .delete: "deleted"
        case .reset: "reset"
        case .scale: "scaled"
        case .signal: "signalled"
        }
    }

    /// It can be about one process of several.
    var takesProcess: Bool {
        switch self {
        case .restart, .signal: true
        case .start, .stop, .reload, .delete, .reset, .scale: false
        }
    }
}

extension ProgramsDriver {
    /// Starts an operation on one program.
    func begin(
        _ verb: ProgramVerb, _ target: ProgramTarget, listener: ProgramOperationListener
    ) throws(ControlFailure) {
        let name = target.program
        let response =
            switch verb {
            case .start: machine.startRequested(name, now: now())
            case .stop: machine.stopRequested(name, now: now())
            case .restart: machine.restartRequested(target, now: now())
            case .reload: machine.reloadRequested(name, now: now())
            case .delete: machine.deleteRequested(name, now: now())
            case .reset: machine.resetRequested(name, now: now())
            case .scale(let count): machine.scaleRequested(name, to: count, now: now())
            case .signal(let signal): machine.signalRequested(target, signal, now: now())
            }
        try take(response, listener)
    }

    /// Adds a program and starts it.
    func add(_ configuration: ProgramConfiguration, listener: ProgramOperationListener) throws(ControlFailure) {
        let definition = ProgramDefinition(configuration: configuration, origin: .runTime)
        try take(machine.addRequested(definition, now: now()), listener)
    }

    private func take(_ response: ProgramResponse, _ listener: ProgramOperationListener) throws(ControlFailure) {
        switch response {
        case .refused(let refusal): throw ControlFailure(refusal)
        case .accepted(let id, let actions):
            operations[id] = listener
            perform(actions)
        }
    }

    /// What a word of an operator means; a sentence where it means nothing.
    func target(_ word: String) throws(ControlFailure) -> ProgramTarget {
        if let target = machine.resolve(word) { return target }
        let refusal = ProgramRefusal.unknown(word).description
        guard let near = Suggestion.nearest(to: word, among: names) else { throw .notFound(refusal) }
        throw .notFound("\(refusal) Did you mean \(near)?")
    }

    /// Names of all programs, by number; those that are about to be forgotten are none any more.
    var names: [String] { machine.definitions.map(\.configuration.name) }
}

extension ControlFailure {
    init(_ refusal: ProgramRefusal) {
        switch refusal {
        case .unknown, .noSuchProcess: self = .notFound(refusal.description)
        case .busy: self = .busy(refusal.description)
        case .exists, .inConfiguration, .needed, .notRunning:
            self = .conflict(refusal.description)
        case .impossible:
            self.init(
                status: .unprocessableContent, error: ControlError(code: "impossible", message: refusal.description))
        case .stopping: self = .unavailable(refusal.description)
        }
    }
}
