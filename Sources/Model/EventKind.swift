/// What kind of event it is. Its word is part of the interface: it never changes its meaning.
package enum EventKind: Hashable, Codable, Sendable {
    /// Of a worker, the hub, or a process of a program.
    case process(ProcessStep)
    case program(ProgramStep)
    /// Something that somebody asked for, or that follows from a change.
    case operation(OperationWord, Phase)
    /// The memory of the service's control group.
    case memory(MemoryStep)
    case configuration(ConfigurationStep)
    case service(ServiceStep)

    package enum ProcessStep: String, CaseIterable, Codable, Sendable {
        case started, ready
        /// It did not become ready in time; its end is told apart.
        case unready
        case exited, killed
        /// The next start is delayed.
        case backoff
        /// Given up.
        case failed
        /// Ended by itself, as it may; `exited` was told before.
        case finished
        /// Even SIGKILL does not end it.
        case stuck
        /// What it left behind does not go away.
        case leftover
        /// It does not answer the questions of `alive`.
        case unresponsive
        /// It is replaced because of its memory.
        case memory
    }

    package enum ProgramStep: String, CaseIterable, Codable, Sendable {
        case added, removed
        /// Its files: it is restarted.
        case changed
        /// Its time of `cron`.
        case due
        /// One of `restartsWith` started anew: it is restarted.
        case followed
    }

    package enum OperationWord: String, CaseIterable, Codable, Sendable {
        case start, stop, restart, reload, scale, delete
        /// A worker with too much memory is replaced.
        case recycle
    }

    package enum Phase: String, CaseIterable, Codable, Sendable {
        case started, finished, failed
    }

    package enum MemoryStep: String, CaseIterable, Codable, Sendable {
        case high, limit, relieved, killed
    }

    package enum ConfigurationStep: String, CaseIterable, Codable, Sendable {
        case loaded, refused
    }

    package enum ServiceStep: String, CaseIterable, Codable, Sendable {
        case starting, ready
        /// Ready without slots that have failed.
        case incomplete
        case stopping, hurried, failed
        /// The supervisor itself had no time.
        case late
        /// Another program has taken the supervisor's process over.
        case replaced
    }

    /// In the order of the reference.
    package static let all: [EventKind] =
        ProcessStep.allCases.map(EventKind.process) + ProgramStep.allCases.map(EventKind.program)
        + OperationWord.allCases.flatMap { word in Phase.allCases.map { .operation(word, $0) } }
        + MemoryStep.allCases.map(EventKind.memory) + ConfigurationStep.allCases.map(EventKind.configuration)
        + ServiceStep.allCases.map(EventKind.service)

    /// `process.exited`
    package var name: String {
        switch self {
        case .process(let step): "process.\(step.rawValue)"
        case .program(let step): "program.\(step.rawValue)"
        case .operation(let word, let phase): "\(word.rawValue).\(phase.rawValue)"
        case .memory(let step): "memory.\(step.rawValue)"
        case .configuration(let step): "configuration.\(step.rawValue)"
        case .service(let step): "service.\(step.rawValue)"
        }
    }
}

/// Which events are meant: `process.exited`, `*.failed`, `worker.*`, `*`.
///
/// An event of a process also goes by the name of whose it is: `worker.exited`, `hub.exited`, `program.exited`.
package struct EventPattern: Hashable, Codable, Sendable, CustomStringConvertible {
    package static let maxLength = 64

    package let description: String

    /// `nil`: it means no event that there is.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.maxLength, Self.names.contains(where: { Self.fits(text, $0) }) else { return nil }
        description = text
    }

    /// Whether an event that goes by any of these names is meant.
    package func fits(_ names: [String]) -> Bool { names.contains { Self.fits(description, $0) } }

    /// All that an event can go by.
    package static let names: [String] =
        EventKind.all.map(\.name) + owners.flatMap { owner in EventKind.ProcessStep.allCases.map { "\(owner).\($0)" } }

    private static let owners = ["worker", "hub", "program"]

    /// `*` stands for any number of characters.
    private static func fits(_ pattern: String, _ name: String) -> Bool {
        let (pattern, name) = (Array(pattern.utf8), Array(name.utf8))
        var (at, position) = (0, 0)
        var star: (at: Int, position: Int)?
        while position < name.count {
            if at < pattern.count, pattern[at] == UInt8(ascii: "*") {
                star = (at, position)
                at += 1
            } else if at < pattern.count, pattern[at] == name[position] {
                at += 1
                position += 1
            } else if let last = star {
                star = (last.at, last.position + 1)
                at = last.at + 1
                position = last.position + 1
            } else {
                return false
            }
        }
        return pattern[at...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
