internal import ConfigurationFile
import FoundationEssentials
import LinuxSystem
import Model
import NIOCore
import Supervision
import Wire

/// Everything that the program which takes the supervisor's process over needs to go on as if nothing had happened: what is
/// decided, what was read and not understood yet, and the numbers of the descriptors that stay open. The lines of the log go with
/// it; see ``HandoverFile``.
struct Handover: Codable {
    /// Changes whenever a program could misread what an older one hands over.
    static let format = 1

    /// Version of the program that hands over.
    var version: String
    /// Version of the messages that the living children speak; see ``WsdVersion/link``.
    var link: Int
    var pid: Int32
    /// How often the process has been taken over, this time included.
    var takeovers: Int
    var madeAt: MonotonicTime
    var startedAt: MonotonicTime
    /// Seconds since 1970.
    var startedAtTime: Double
    /// The soft limit on descriptors that the service was started with.
    var descriptorLimit: Int
    var hadTerminal: Bool
    var sockets: ServiceSockets
    /// The memory that the workers share.
    var board: Int32
    var fleet: HandedFleet
    var programs: HandedPrograms
    var programSystem: HandedProgramSystem
    var events: [ServiceEvent]
    var lastEvent: Int
    /// Events that wait for hooks, by the hook's place.
    var hooks: [[ServiceEvent]]
    var droppedLines: [String: Int]

    /// What stays open when the program is replaced.
    var descriptors: Set<Int32> {
        var all = sockets.descriptors + [board]
        all += fleet.children.flatMap { [$0.link, $0.log?.descriptor].compactMap(\.self) }
        all += programs.processes.flatMap { process in
            process.outputs.map(\.output.descriptor) + [process.status?.descriptor].compactMap(\.self)
        }
        all += programSystem.notifications.values.map(\.descriptor)
        all += programSystem.sockets.flatMap { $0.sockets.map(\.descriptor) }
        if let guardian = programSystem.guardian { all.append(guardian.socket) }
        return Set(all)
    }
}

/// The fleet, from one driver to the next.
struct HandedFleet: Codable {
    struct Child: Codable {
        var instance: InstanceID
        var slot: SlotID
        var pid: Int32
        /// `nil`: it has ended.
        var link: Int32?
        /// Bytes of the link that belong to no message yet.
        var unread: Data
        /// `nil`: it has ended.
        var log: HandedOutput?
        var linkEnded: Bool
        var exit: ProcessExit?
        var boot: BootID?
        var isIntroduced: Bool
        var isReady: Bool
        var counters: ChildCounters
    }

    var machine: FleetStateMachine
    var configuration: LoadedConfiguration
    var configurations: [Int: LoadedConfiguration]
    var lastRevision: Int
    var children: [Child]
    var endedWorkers: ChildCounters
    var endedHubs: ChildCounters
    var lastQuery: Int
    var lastTrace: Int
    var traceEventsDropped: Int
    var brokenLinks: Int
}

/// The programs, from one driver to the next.
struct HandedPrograms: Codable {
    struct Output: Codable {
        var stream: LogStream
        var output: HandedOutput
    }

    /// The pipe of a launch.
    struct Status: Codable {
        var descriptor: Int32
        var text: [UInt8]
    }

    struct Process: Codable {
        var instance: InstanceID
        var process: ProgramProcessID
        var pid: Int32
        var launch: ProgramProcess.Launch
        /// `nil`: the launch has been settled.
        var status: Status?
        /// Those that have not ended.
        var outputs: [Output]
        var readyText: [UInt8]?
        var earlyWords: [ProgramWord]
        var lastLines: LastLines
        var exit: ProcessExit?
    }

    var machine: ProgramsStateMachine
    var processes: [Process]
}

/// What only the operating system's side of the programs knows.
struct HandedProgramSystem: Codable {
    struct Life: Codable {
        var pid: Int32
        var root: ProgramTreeRoot
        var hasEnded: Bool
    }

    struct Sockets: Codable {
        var program: String
        var address: ListenAddress
        var sockets: [ListeningSocket]
    }

    var tags: ProgramTags
    var hasBegun: Bool
    var lives: [InstanceID: Life]
    var trees: [InstanceID: ProgramTree]
    var notifications: [InstanceID: NotifySocket]
    var sockets: [Sockets]
    var guardian: ProgramGuardLink.Handed?
}

/// A log pipe in the middle of its bytes.
struct HandedOutput: Codable {
    var descriptor: Int32
    var splitter: LogLineSplitter
    /// Lines that were not kept, and not reported yet.
    var dropped: Int
}

extension Channel {
    /// The descriptor that it reads; `nil`: it is closed. Call on its event loop.
    var descriptor: CInt? {
        guard isActive else { return nil }
        let view = pipeline.syncOperations
        if let socket = try? view.withUnsafeTransportIfAvailable({ (socket: NIOBSDSocket.Handle) in socket }) {
            return socket
        }
        let pipe = try? view.withUnsafeTransportIfAvailable { (pipe: NIOBSDSocket.PipeHandle) in pipe.input }
        return pipe ?? nil
    }
}
