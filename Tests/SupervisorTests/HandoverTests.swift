import FoundationEssentials
import LinuxSystem
import NIOCore
import Supervision
import Testing
import Wire

@testable import ConfigurationFile
@testable import Model
@testable import Supervisor

/// What goes from one program to the next.
@Suite struct HandoverTests {
    private func handover(_ change: (inout Handover) -> Void = { _ in }) throws -> Handover {
        let configuration = LoadedConfiguration(
            configuration: WsdConfiguration(), entries: [], file: "/etc/wsd.yaml", warnings: [])
        let sockets = try JSONDecoder().decode(
            ServiceSockets.self,
            from: Data(
                #"{"control":{"descriptor":7,"path":"/run/a","lock":8,"mode":384},"listeners":[{"descriptor":9,"address":{"tcp":{"port":80}},"ownsFile":false}],"redirects":[],"paths":{"controlSocket":"/run/a","origin":"chosen"}}"#
                    .utf8))
        let tags = ProgramTags()
        var handover = Handover(
            version: "0.1.0", link: WsdVersion.link, pid: 1, takeovers: 1, madeAt: .zero, startedAt: .zero,
            startedAtTime: 5, descriptorLimit: 1024, hadTerminal: false, sockets: sockets, board: 10,
            fleet: HandedFleet(
                machine: FleetStateMachine(policy: FleetPolicy(configuration.configuration, cores: 2), seed: 1),
                configuration: configuration, configurations: [1: configuration], lastRevision: 1,
                children: [
                    HandedFleet.Child(
                        instance: InstanceID(rawValue: 3), slot: .worker(1), pid: 20, link: 11,
                        unread: Data([1, 2, 255]),
                        log: HandedOutput(descriptor: 12, splitter: LogLineSplitter(), dropped: 4), linkEnded: false,
                        exit: nil, boot: nil, isIntroduced: true, isReady: true, counters: ChildCounters())
                ], endedWorkers: ChildCounters(), endedHubs: ChildCounters(), lastQuery: 1, lastTrace: 2,
                traceEventsDropped: 0, brokenLinks: 0),
            programs: HandedPrograms(machine: ProgramsStateMachine(cores: 2, seed: 1), processes: []),
            programSystem: HandedProgramSystem(
                tags: tags, hasBegun: true, lives: [:], trees: [:], notifications: [:], sockets: [], guardian: nil),
            events: [], lastEvent: 6, hooks: [], droppedLines: ["worker 1": 2])
        change(&handover)
        return handover
    }

    private func file(_ bytes: [UInt8]) throws -> CInt { try MemoryFile.make(bytes, name: HandoverFile.name) }

    @Test func aFileGivesBackWhatWasWritten() throws {
        var store = LogStore(perSource: 1 << 20, total: 1 << 20)
        for number in 1...300 {
            store.append(
                time: Double(number), source: "source \(number % 3)", worker: number % 2 == 0 ? 2 : nil, program: "p",
                stream: .err, pid: 9, level: .error, message: "line \(number)\u{0}ä", fields: ["a.b": "\(number)"])
        }
        let file = try file(HandoverFile.bytes(try handover(), store))
        defer { Descriptors.close(file) }
        let read = try HandoverFile.read(file)
        #expect(read.handover.descriptors == [7, 8, 9, 10, 11, 12])
        #expect(read.handover.fleet.children[0].unread == Data([1, 2, 255]))
        #expect(read.log == store.tail(LogFilter(), limit: .max) && read.lastLine == 300)
        var next = LogStore(perSource: 1 << 20, total: 1 << 20)
        next.resume(read.log, after: read.lastLine)
        #expect(next.tail(LogFilter(), limit: .max) == read.log)
        let line = next.append(
            time: 1, source: "x", worker: nil, pid: 1, level: .info, message: "", fields: [:])
        #expect(line.sequence == 301)
    }

    /// However much of it is there, whatever stands in it.
    @Test func aDamagedFileIsRefused() throws {
        var store = LogStore(perSource: 1 << 20, total: 1 << 20)
        store.append(time: 1, source: "a", worker: nil, pid: 1, level: .info, message: "text", fields: ["a": "b"])
        let whole = try HandoverFile.bytes(try handover(), store)
        var random = SplitMix64(seed: 7)
        var damaged: [[UInt8]] = [[], Array("wsd-handover 1\n".utf8), Array("wsd-handover 99\n{}".utf8)]
        for length in stride(from: 1, to: whole.count, by: whole.count / 40) {
            damaged.append(Array(whole.prefix(length)))
        }
        for bytes in damaged {
            let file = try file(bytes)
            defer { Descriptors.close(file) }
            #expect(throws: TakeoverFailure.self, "\(bytes.count) bytes") { try HandoverFile.read(file) }
        }
        // A bit here and there may go unnoticed in a text; it never traps.
        for _ in 0..<200 {
            var bytes = whole
            bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= UInt8(1 << Int.random(in: 0..<8, using: &random))
            let file = try file(bytes)
            _ = try? HandoverFile.read(file)
            Descriptors.close(file)
        }
    }

    @Test func onlyAMemoryFileOfThisNameIsRead() throws {
        let file = try MemoryFile.make([1], name: "another")
        defer { Descriptors.close(file) }
        for descriptor in [file, 0, 9999] {
            #expect(throws: TakeoverFailure.self) { try HandoverFile.read(descriptor) }
        }
    }

    @Test(arguments: [
        (nil, "no answer"), ("", "no wsd"), ("hello\nworld\n", "It said: world"), ("wsd-takeover {", "no wsd"),
        (TakeoverVerdict(problems: ["One.", "Two."]).line, "One.\nTwo."),
    ])
    func whatATrialSaysIsUnderstood(answer: String?, sentence: String) {
        let failure = #expect(throws: TakeoverFailure.self) { try TakeoverVerdict(answer) }
        #expect(failure?.message.contains(sentence) == true, "\(failure?.message ?? "")")
    }

    @Test func aGoodTrialIsOne() throws {
        let answer = "some library speaks first" + TakeoverVerdict(problems: [], doubts: ["Beware."]).line
        let verdict = try TakeoverVerdict(answer)
        #expect(verdict.version == WsdVersion.current && verdict.doubts == ["Beware."])
    }
}
