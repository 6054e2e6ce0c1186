internal import ConfigurationFile
import HTTPTypes
import Model
import NIOCore
import Supervision
import Wire

// Requests that name programs, the workers, or both.

extension FleetDriver {
    /// Targets of one request.
    static let maxTargets = 1024

    /// Something that one request is about.
    private enum Target: Hashable {
        case program(ProgramTarget)
        /// `nil`: all of them.
        case worker(Int?)

        var name: String {
            switch self {
            case .program(let target): target.number.map { "\(target.program):\($0)" } ?? target.program
            case .worker(nil): "workers"
            case .worker(let number?): "worker:\(number)"
            }
        }
    }

    /// Does the same to several programs (and the workers) at the same time. The stream ends with a line about all of it.
    ///
    /// - Throws: when a name means nothing, or everything was refused: then nothing has changed.
    func begin(_ verb: ProgramVerb, _ words: [String]) throws(ControlFailure) -> AsyncStream<OperationProgress> {
        try checkIsOurs()
        let targets = try resolve(words, for: verb)
        let (stream, continuation) = AsyncStream.makeStream(of: OperationProgress.self)
        let group = OperationGroup(verb, count: targets.count, continuation)
        var refusals: [ControlFailure] = []
        for target in targets {
            do throws(ControlFailure) {
                try begin(verb, target, group)
            } catch {
                refusals.append(error)
                if targets.count > 1 { group.finished(target.name, .failed(error.error.message)) }
            }
        }
        if let first = refusals.first, refusals.count == targets.count { throw first }
        if targets.isEmpty { group.nothing() }
        return stream
    }

    /// - Parameter entry: as it would stand in `programs:` of wsd.yaml, as JSON.
    static func program(_ entry: String) throws(ControlFailure) -> ProgramConfiguration {
        do throws(ConfigurationErrors) {
            // Relative paths are the folder's that it names.
            return try ProgramEntry.parse(json: entry, defaults: EntryFolder.of(entry))
        } catch {
            throw ControlFailure(
                status: .unprocessableContent,
                error: ControlError(code: "configuration", message: error.description))
        }
    }

    /// `wsctl start -- …`: adds a program and starts it.
    func addProgram(_ configuration: ProgramConfiguration) throws(ControlFailure) -> AsyncStream<OperationProgress> {
        try checkIsOurs()
        let (stream, continuation) = AsyncStream.makeStream(of: OperationProgress.self)
        let group = OperationGroup(.start, count: 1, continuation)
        try programs.add(configuration, listener: group.listener(configuration.name))
        return stream
    }

    private func begin(_ verb: ProgramVerb, _ target: Target, _ group: OperationGroup) throws(ControlFailure) {
        switch target {
        case .program(let program):
            try programs.begin(verb, program, listener: group.listener(target.name))
        case .worker(let number):
            let request: OperationRequest
            switch verb {
            case .restart, .reload: request = .restart(slot: number.map(SlotID.worker), immediately: false)
            case .scale(let count): request = .scale(count)
            case .start, .stop, .delete, .reset, .signal:
                throw .badRequest(
                    "The workers cannot be asked for “\(verb.word)”: wsd keeps them itself. See `wsctl scale` and `wsctl stop`."
                )
            }
            try begin(request, group.fleetListener(target.name))
        }
    }

    private func resolve(_ words: [String], for verb: ProgramVerb) throws(ControlFailure) -> [Target] {
        guard !words.isEmpty else { throw .badRequest("Name at least one program, or “all”.") }
        guard words.count <= Self.maxTargets else {
            throw .badRequest("A request may name \(Self.maxTargets) programs at most.")
        }
        var targets: [Target] = []
        for word in words {
            for target in try resolve(word, for: verb) where !targets.contains(target) { targets.append(target) }
        }
        return targets
    }

    private func resolve(_ word: String, for verb: ProgramVerb) throws(ControlFailure) -> [Target] {
        switch word {
        case "all":
            let all = programs.names.map { Target.program(ProgramTarget(program: $0)) }
            let workersToo = [.restart, .reload].contains(verb) && machine.workersWanted > 0
            return workersToo ? all + [.worker(nil)] : all
        case "workers", "0": return [.worker(nil)]
        default: break
        }
        if word.hasPrefix("worker:") {
            guard let number = Int(word.dropFirst("worker:".count)), (1...Int(UInt16.max)).contains(number) else {
                throw .badRequest("“\(word)” is no worker: `worker:2` is the second.")
            }
            guard verb == .restart else {
                throw .badRequest("One worker alone can only be restarted; “workers” are all of them.")
            }
            return [.worker(number)]
        }
        let target = try programs.target(word)
        guard target.number == nil || verb.takesProcess else {
            throw .badRequest(
                "“\(verb.word)” is about a program as a whole: say \(target.program) instead of \(word).")
        }
        return [.program(target)]
    }
}

/// The one key of an entry that says how others are to be read.
private struct EntryFolder: Decodable {
    var folder: String?

    static func of(_ entry: String) -> String? {
        guard let own = try? ControlJSON.decode(Self.self, from: ByteBuffer(string: entry)).folder, own.hasPrefix("/")
        else { return nil }
        return own
    }
}

/// Several operations whose progress goes to one reader. Confined to the event loop.
private final class OperationGroup {
    private let verb: ProgramVerb
    private let continuation: AsyncStream<OperationProgress>.Continuation
    private let count: Int
    private var finishedCount = 0
    private var failed: [String] = []

    init(_ verb: ProgramVerb, count: Int, _ continuation: AsyncStream<OperationProgress>.Continuation) {
        self.verb = verb
        self.count = count
        self.continuation = continuation
    }

    func listener(_ name: String) -> ProgramOperationListener {
        ProgramOperationListener(
            progress: { [self] in progress(name, $0) }, finished: { [self] in finished(name, $0) })
    }

    func fleetListener(_ name: String) -> FleetOperationListener {
        FleetOperationListener(
            progress: { [self] step in
                guard step.done else { return progress(name, step.message) }
                finished(name, step.succeeded == true ? .succeeded(step.message) : .failed(step.message))
            },
            abandoned: { [self] in continuation.finish() })
    }

    /// The last word about one of them; the last of them has the last line.
    func finished(_ name: String, _ result: OperationResult) {
        finishedCount += 1
        let succeeded = if case .succeeded = result { true } else { false }
        if !succeeded { failed.append(name) }
        if count > 1 { progress(name, result.message) }
        guard finishedCount == count else { return }
        let operation = count == 1 ? verb.text(name) : verb.word
        end(operation, count == 1 ? result.message : summary)
    }

    func nothing() { end(verb.word, "There are no programs.") }

    private var summary: String {
        guard !failed.isEmpty else { return "All \(count) were \(verb.past)." }
        return "\(count - failed.count) of \(count) were \(verb.past); not: \(failed.joined(separator: ", "))."
    }

    private func progress(_ name: String, _ message: String) {
        continuation.yield(OperationProgress(operation: verb.text(name), message: message))
    }

    private func end(_ operation: String, _ message: String) {
        continuation.yield(
            OperationProgress(operation: operation, message: message, done: true, succeeded: failed.isEmpty))
        continuation.finish()
    }
}

// MARK: - Beginning and end with the fleet

extension FleetDriver {
    /// The fleet is ready: the service is when its programs have settled, too.
    func fleetIsReady() {
        isFleetReady = true
        sayReady()
    }

    func sayReady() {
        guard isFleetReady, programs.isSettled, !hasSaidReady, !machine.isStopping else { return }
        hasSaidReady = true
        notify(.ready)
        events.take(.service(.ready), .notice, "Service ready")
    }

    /// The fleet has ended: the programs end after it, then the service with this status.
    func fleetEnded(_ code: Int32) {
        let waiting = lastWords
        lastWords = nil
        let count = programs.livingCount
        if count > 0 {
            for listener in waiting?.listeners ?? [] {
                let message = "Stopping the programs (\(count) \(count == 1 ? "process" : "processes"))."
                listener.progress(OperationProgress(operation: "stop", message: message))
            }
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        programs.stopAll(hurried: hasHurried) {
            if let waiting {
                for listener in waiting.listeners { listener.progress(waiting.last) }
            }
            bound.value.end(code)
        }
    }

    /// Programs take what they take: the service manager is to wait, while they start and while they end.
    func askForTime() {
        let isWaiting = programs.isStopping || isFleetReady && !hasSaidReady
        guard isWaiting, !programs.hasStopped else { return secondsOfWaiting = 0 }
        secondsOfWaiting += 1
        guard secondsOfWaiting % Self.extensionInterval == 1 else { return }
        notify(.extendTimeout(Self.timeExtension))
    }

    /// Seconds between two requests for more time.
    private static let extensionInterval = 5
    private static let timeExtension = Duration.seconds(15)
}
