internal import Model

/// One program: what is wanted of it, its places, and the operation that runs on it.
struct Program: Codable, Sendable {
    var configuration: ProgramConfiguration
    var origin: ProgramDefinition.Origin
    /// What the configuration file last said; `nil`: started at run time.
    var filed: ProgramConfiguration?
    let number: Int
    /// It is to run.
    var isWanted: Bool
    /// Processes that are to run.
    var count: Int
    /// Place `n` stands at index `n - 1`; those above ``count`` end.
    var places: [ProgramPlace] = []
    var operation: RunningProgramOperation?
    var pending: PendingProgramOperation?
    /// It is no longer known once nothing of it lives.
    var isForgotten = false
    /// The service stops, and its turn to end has come.
    var isEnding = false
    /// What the supervisor holds open for it.
    var sockets: [ListenAddress] = []
    /// What the driver was last told to watch for it.
    var watched: ProgramConfiguration?
    /// Programs whose new start is why this one starts again: they do not start again with it.
    var causes: Set<String> = []

    init(_ definition: ProgramDefinition, number: Int, cores: Int) {
        configuration = definition.configuration
        origin = definition.origin
        filed = definition.origin == .file ? definition.configuration : nil
        self.number = number
        isWanted = definition.isWanted
        count = Self.count(definition.configuration, cores: cores)
        places = (1...count).map { ProgramPlace(ProgramProcessID(program: definition.configuration.name, number: $0)) }
    }

    static func count(_ configuration: ProgramConfiguration, cores: Int) -> Int {
        min(max(configuration.instances ?? cores, 1), ProgramConfiguration.maxInstances)
    }

    var name: String { configuration.name }

    var definition: ProgramDefinition {
        ProgramDefinition(configuration: configuration, origin: origin, isWanted: isWanted, number: number)
    }

    /// Something of it lives, or may.
    var isHolding: Bool { places.contains(where: \.isHolding) }

    /// Others may start: every process is ready, or has ended as it may.
    var isProvided: Bool {
        isWanted && !isForgotten && places.count >= count
            && places.prefix(count).allSatisfy { $0.isReady || $0.isFinished }
    }

    var hasFailed: Bool { places.prefix(count).contains(where: \.hasFailed) }

    /// A process that has ended before its time and is not ready again: it may take for ever.
    var struggling: ProgramPlace? {
        places.prefix(count).first { !$0.isReady && !$0.isFinished && $0.unstableEnds > 0 }
    }

    mutating func grow() {
        while places.count < count {
            places.append(ProgramPlace(ProgramProcessID(program: name, number: places.count + 1)))
        }
    }

    /// Places that are not wanted any more go when nothing lives there.
    mutating func shrink() {
        while places.count > count, let last = places.last, !last.isHolding { places.removeLast() }
    }

    /// Everything, or what stands in these places, ends.
    mutating func clear(_ numbers: some Sequence<Int>, now: MonotonicTime) -> [ProgramAction] {
        numbers.filter { places.indices.contains($0 - 1) }.flatMap { places[$0 - 1].clear(now: now) }
    }

    mutating func clear(now: MonotonicTime) -> [ProgramAction] { clear(1..<places.count + 1, now: now) }
}

/// The operation that runs on a program and how far it has come.
struct RunningProgramOperation: Codable, Sendable {
    enum Stage: Codable, Sendable, Equatable {
        /// These places are to be ready, or to have ended as they may. The first failure ends the operation.
        case settling([Int])
        /// Place by place; the first failure aborts.
        case rolling(pending: [Int], current: Int?)
        /// What is not wanted is to be gone.
        case emptying
    }

    /// `nil`: of the machine's own making (files, cron, another program, the configuration).
    let id: ProgramOperationID?
    let operation: ProgramOperation
    var stage: Stage
    /// Places that have been said to be ready.
    var reported: [Int] = []
    /// Its start has been told.
    var isTold = false
    /// Said if there was nothing to do.
    var idleSentence: String?

    /// Somebody, or what comes next, relies on its result.
    var wantsProof: Bool {
        switch operation {
        case .reload: true
        case .start, .stop, .restart, .scale, .delete: id != nil
        }
    }
}

/// What is done with a program when nothing else is going on.
enum PendingProgramOperation: Codable, Sendable, Equatable {
    case restart(causes: Set<String>)
    case reload
}

extension ProgramConfiguration {
    /// A process that was started with it need not be replaced for `other`.
    func launches(like other: ProgramConfiguration) -> Bool {
        command == other.command && folder == other.folder && environment == other.environment
            && environmentFiles == other.environmentFiles && user == other.user && group == other.group
            && umask == other.umask && nice == other.nice && limits == other.limits && ready == other.ready
            && listen == other.listen
    }

    /// The same things are watched for it.
    func watches(like other: ProgramConfiguration) -> Bool {
        watch == other.watch && watchIgnore == other.watchIgnore && watchDelay == other.watchDelay
            && cron == other.cron && folder == other.folder
    }
}
