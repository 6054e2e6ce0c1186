import ArgumentParser
import Glibc

/// Throws bytes at everything that reads a peer's. `scripts/fuzz` builds and runs it.
@main
struct FuzzCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wsd-fuzz", abstract: "Throws bytes at what reads a peer's bytes.",
        subcommands: [
            ListCommand.self, SeedsCommand.self, UnpackCommand.self, PackCommand.self, MutateCommand.self,
            ReplayCommand.self, CoverageCommand.self,
        ])
}

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Names the targets.")

    func run() {
        for target in FuzzTarget.allCases { print(target.rawValue) }
    }
}

struct SeedsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seeds", abstract: "Writes the built-in inputs: FOLDER/TARGET/seed-NN.")

    @Argument var folder: String

    func run() throws {
        for target in FuzzTarget.allCases {
            try Corpus.write(target.seeds, into: "\(folder)/\(target.rawValue)", name: "seed")
        }
    }
}

struct UnpackCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpack", abstract: "Writes each input of a corpus into a file of its own, as libFuzzer wants it.")

    @Argument var corpus: String
    @Argument var folder: String

    func run() throws { try Corpus.write(try Corpus.read(corpus), into: folder, name: "kept") }
}

struct PackCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pack", abstract: "Writes the short inputs of a folder into one file.")

    @Argument var folder: String
    @Argument(help: "Its name ends with `.hex`.") var file: String

    func run() throws { try Corpus.pack(try Corpus.read(folder), to: file) }
}

struct MutateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mutate",
        abstract: "Runs one target over mutations of its corpus: the same ones for the same seed.")

    @Argument var target: FuzzTarget
    @Option(help: "Folder of inputs; besides the built-in ones.") var corpus: String?
    @Option(help: "Of the random numbers.") var seed: UInt64 = 1
    @Option(help: "How long, at most.") var seconds = 10.0
    @Option(help: "How many inputs, at most.") var runs = Int.max
    @Option(help: "Where the input goes that ends it.") var crashes = "."

    func run() throws {
        let inputs = target.seeds + (try corpus.map { try Corpus.read($0) } ?? [])
        CrashReport.begin(prefix: "\(crashes)/crash-\(target.rawValue)-")
        for input in inputs { CrashReport.run(target, input) }
        var mutator = Mutator(seed: seed, corpus: inputs)
        let end = Self.now() + seconds
        var count = 0
        while count < runs, !count.isMultiple(of: 256) || Self.now() < end {
            CrashReport.run(target, mutator.next())
            count += 1
        }
        print("\(target.rawValue): \(count) inputs, nothing found")
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "replay", abstract: "Runs one target over files.")

    @Argument var target: FuzzTarget
    @Argument var files: [String]

    func run() throws {
        for file in files {
            target.run(try Corpus.readFile(file))
            print("\(file): nothing found")
        }
    }
}

extension FuzzTarget: ExpressibleByArgument {}
