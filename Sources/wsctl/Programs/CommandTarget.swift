import ArgumentParser

/// What an operator means by a word: a program or one of its processes, the workers, or one of them.
enum CommandTarget: Equatable {
    /// All programs, and the workers where the command concerns them.
    case all
    /// The workers together, number 0 of `wsctl list`.
    case workers
    case worker(Int)
    /// `api`, `3`, `api:2`: the service knows which.
    case program(String)

    init(_ word: String) throws(TargetComplaint) {
        switch word {
        case "all": self = .all
        case "workers", "0": self = .workers
        case "": throw TargetComplaint("An empty word names no program.")
        case "worker": throw TargetComplaint("Which worker? Name one as worker:2, or all of them as workers.")
        case "hub", "supervisor", "wsd": throw TargetComplaint("'\(word)' is a part of wsd, not a program.")
        default:
            guard word.hasPrefix("worker:") else {
                self = .program(word)
                return
            }
            guard let number = Int(word.dropFirst(7)), number >= 1 else {
                throw TargetComplaint("Workers count from 1: worker:2, not '\(PlainText.harmless(word))'.")
            }
            self = .worker(number)
        }
    }

    /// Whether it was typed as a number, as rows of `wsctl list` have.
    static func isNumber(_ word: String) -> Bool {
        !word.isEmpty && word.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}

/// Why a word names nothing.
struct TargetComplaint: Error, Equatable {
    var message: String

    init(_ message: String) {
        self.message = message
    }
}

/// The targets of one command line.
struct TargetSelection: Equatable {
    var programs: [String] = []
    var includesAll = false
    var allWorkers = false
    var workers: [Int] = []

    var namesWorkers: Bool { allWorkers || !workers.isEmpty }

    init(_ words: [String]) throws(TargetComplaint) {
        for word in words {
            switch try CommandTarget(word) {
            case .all: includesAll = true
            case .workers: allWorkers = true
            case .worker(let number): if !workers.contains(number) { workers.append(number) }
            case .program(let name): if !programs.contains(name) { programs.append(name) }
            }
        }
        if includesAll { programs = ["all"] }
        if allWorkers { workers = [] }
    }

    /// What `all` means for `restart` and `reload`.
    ///
    /// - Parameters:
    ///   - names: all programs.
    ///   - now: workers at once, which they are asked for by themselves. Otherwise the service has them in its own `all`.
    mutating func spellOut(programs names: [String], hasWorkers: Bool, now: Bool) {
        let apart = now || names.isEmpty
        programs = apart ? names : ["all"]
        (allWorkers, workers) = (apart && hasWorkers, [])
    }

    /// For commands that concern programs alone.
    ///
    /// - Parameter instead: what to do with workers.
    static func programs(_ words: [String], instead: String) throws -> [String] {
        do {
            let selection = try TargetSelection(words)
            guard !selection.namesWorkers else { throw ValidationError("Workers are no programs: \(instead)") }
            return selection.programs
        } catch let complaint as TargetComplaint {
            throw ValidationError(complaint.message)
        }
    }
}
