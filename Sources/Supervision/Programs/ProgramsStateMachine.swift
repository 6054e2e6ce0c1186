package import Model

/// All decisions about programs, as one encodable value without I/O, clock or random source.
///
/// Inputs are facts (`exited`) and requests; each returns the actions to perform, in order. The driver
/// 1. performs actions first in, first out;
/// 2. calls ``timePassed(now:)`` every 500 ms at least and at ``nextDeadline``, after it has read what there is to read;
/// 3. passes a time to every input that never runs backwards.
///
/// Facts about a process that is not known, or that has ended, are ignored.
package struct ProgramsStateMachine: Codable, Sendable {
    enum Phase: Codable, Sendable {
        case idle, running, stopping, ended
    }

    var phase = Phase.idle
    /// By number.
    var programs: [Program] = []
    /// Every process of which something lives or may, and its place; those that a place no longer waits for, too.
    var places: [InstanceID: ProgramProcessID] = [:]
    let cores: Int
    var random: SplitMix64
    var lastInstance = 0
    var lastOperation = 0
    var lastInputAt: MonotonicTime?
    var hasSettled = false
    /// What is remembered over a restart of the service has changed.
    var remembers = false

    /// - Parameter cores: processes of a program that has no number of them; at least 1.
    package init(cores: Int, seed: UInt64) {
        self.cores = cores
        random = SplitMix64(seed: seed)
    }

    /// Once, first of all: what is wanted is started.
    ///
    /// - Parameter definitions: in the order of the file, then those that are remembered. Of two with one name the first counts.
    package mutating func start(_ definitions: [ProgramDefinition], now: MonotonicTime) -> [ProgramAction] {
        switch phase {
        case .idle: break
        case .running, .stopping, .ended: return []
        }
        phase = .running
        lastInputAt = now
        var names: Set<String> = []
        let known = definitions.filter { names.insert($0.configuration.name).inserted }
        var taken: Set<Int> = []
        // Numbers that are remembered come before new ones.
        let kept = known.map { definition in
            definition.number.flatMap { $0 > 0 && taken.insert($0).inserted ? $0 : nil }
        }
        for (definition, number) in zip(known, kept) {
            var program = Program(definition, number: number ?? Self.freeNumber(&taken), cores: cores)
            // A former life of the service may have left them open.
            if program.isWanted { program.sockets = definition.configuration.listen }
            add(program)
            if definition.origin == .runTime, number == nil { remembers = true }
        }
        return settle(now: now)
    }

    // MARK: Queries

    /// With present wishes; what of them is remembered: those with `origin == .runTime`.
    package var definitions: [ProgramDefinition] { programs.filter { !$0.isForgotten }.map(\.definition) }

    package var livingInstances: [InstanceID] { places.keys.sorted() }

    /// When ``timePassed(now:)`` has something to do; `nil`: nothing is due but the regular tick.
    package var nextDeadline: MonotonicTime? {
        let deadlines = programs.flatMap(\.places).compactMap(\.nextDeadline)
        let past = lastInputAt ?? .zero
        let proofs = programs.filter { $0.operation?.wantsProof ?? false }.flatMap(\.places).flatMap(\.processes)
            .compactMap(\.provenAt).filter { $0 > past }
        return (deadlines + proofs).min()
    }

    /// What an operator typed: a name, a number, or one of both with a process (`api:2`). `nil`: no such program. Whether
    /// there is such a process is the request's matter.
    package func resolve(_ word: String) -> ProgramTarget? {
        let parts = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first else { return nil }
        let known = programs.first { program in
            !program.isForgotten && (program.name == first || Int(first).map { $0 == program.number } ?? false)
        }
        guard let known else { return nil }
        guard parts.count == 2 else { return ProgramTarget(program: known.name) }
        guard let number = Int(parts[1]), number >= 0 else { return nil }
        return ProgramTarget(program: known.name, number: number)
    }

    func index(_ name: String) -> Int? { programs.firstIndex { $0.name == name } }

    // MARK: Helpers

    mutating func add(_ program: Program) {
        programs.insert(program, at: programs.firstIndex { $0.number > program.number } ?? programs.endIndex)
    }

    static func freeNumber(_ taken: inout Set<Int>) -> Int {
        var number = 1
        while !taken.insert(number).inserted { number += 1 }
        return number
    }

    mutating func newInstance(_ place: ProgramProcessID) -> InstanceID {
        lastInstance += 1
        let instance = InstanceID(rawValue: lastInstance)
        places[instance] = place
        return instance
    }

    mutating func newOperation() -> ProgramOperationID {
        lastOperation += 1
        return ProgramOperationID(rawValue: lastOperation)
    }
}
