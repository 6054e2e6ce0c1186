import Glibc
import LinuxSystem
import NIOCore
import NIOPosix
import Wire

@testable import ConfigurationFile
@testable import Model
@testable import Supervisor

/// Children that live in the test's own process: each plays its part at the other end of a real link and log pipe.
final class FakeChildSystem: ChildSystem {
    let eventLoop: any EventLoop
    private(set) var children: [InstanceID: FakeChild] = [:]
    private(set) var launched: [ChildConfiguration] = []
    private(set) var notifications: [String] = []
    private(set) var cleared: [InstanceID] = []
    private(set) var hasClosedListeners = false
    /// What the next children do; the last one stays in force.
    var behaviour = FakeChild.Behaviour()
    var failure: String?
    var memoryReading: MemoryReading?
    /// A pipe in the place of the kernel's notice of an event.
    var memoryNotice: CInt?
    private var nextPID: Int32 = 1000

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func spawn(_ configuration: ChildConfiguration, exited: @escaping (ProcessExit) -> Void) throws -> LaunchedChild {
        if let failure { throw ChildSystemError(description: failure) }
        launched.append(configuration)
        let link = try Descriptors.socketPair()
        let log = try Descriptors.pipe()
        nextPID += 1
        children[configuration.instance] = FakeChild(
            configuration: configuration, pid: nextPID, link: link.theirs, log: log.write, eventLoop: eventLoop,
            behaviour: behaviour
        ) { [weak self] exit in
            self?.children[configuration.instance] = nil
            exited(exit)
        }
        return LaunchedChild(pid: nextPID, link: link.ours, log: log.read)
    }

    func adopt(_ instance: InstanceID, pid: Int32, exited: @escaping (ProcessExit) -> Void) throws {
        throw ChildSystemError(description: "Nothing came before this test")
    }

    func kill(_ instance: InstanceID) { children[instance]?.end(.signalled(SIGKILL, coreDumped: false)) }
    func clearBoard(of slot: SlotID, instance: InstanceID) { cleared.append(instance) }
    func usage(of pid: Int32) -> ProcessUsage? { ProcessUsage(cpuSeconds: 1, resident: 5_000_000) }
    func memory() -> MemoryReading? { memoryReading }
    func memoryEvents() -> CInt? { memoryNotice }
    func closeListeners() { hasClosedListeners = true }
    func notify(_ assignments: [String]) { notifications += assignments }
}

final class FakeChild {
    struct Behaviour {
        var link = WsdVersion.link
        var becomesReady = true
        var answersQueries = true
        var counters = ChildCounters()
        /// Sent right after hello, as it is.
        var rawLine: String?
        var complaint: (reason: String, exitCode: Int32)?
        /// What the hub answers to a call of the backend's API.
        var backendAnswer: ((String) -> String)?
    }

    let configuration: ChildConfiguration
    private let log: CInt
    private let behaviour: Behaviour
    private let exited: (ProcessExit) -> Void
    private var channel: (any Channel)?
    private var hasEnded = false
    private(set) var received: [SupervisorMessage] = []

    init(
        configuration: ChildConfiguration, pid: Int32, link: CInt, log: CInt, eventLoop: any EventLoop,
        behaviour: Behaviour,
        exited: @escaping (ProcessExit) -> Void
    ) {
        self.configuration = configuration
        self.log = log
        self.behaviour = behaviour
        self.exited = exited
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Reader { bound.value.take($0) })
                    bound.value.channel = channel
                }
            }
            .withConnectedSocket(link)
            .whenSuccess { _ in bound.value.greet(pid: pid) }
    }

    func print(_ text: String) {
        _ = text.withCString { write(log, $0, strlen($0)) }
    }

    func send(_ message: ChildMessage) {
        if let line = try? ChildLinkCodec.encode(message) { channel?.writeAndFlush(line, promise: nil) }
    }

    /// The process is gone: its descriptors are closed, then its end is told.
    func end(_ exit: ProcessExit) {
        guard !hasEnded else { return }
        hasEnded = true
        close(log)
        guard let channel else { return }
        let exited = NIOLoopBound(exited, eventLoop: channel.eventLoop)
        // Told on a later turn, as the real system does: this may run before `spawn` has returned.
        channel.close().whenComplete { _ in exited.eventLoop.execute { exited.value(exit) } }
    }

    private func greet(pid: Int32) {
        send(.hello(pid: pid, version: WsdVersion.current, link: behaviour.link, boot: BootID(rawValue: UInt64(pid))))
        if let line = behaviour.rawLine { channel?.writeAndFlush(ByteBuffer(string: line + "\n"), promise: nil) }
        if let complaint = behaviour.complaint {
            send(.failed(reason: complaint.reason, exitCode: complaint.exitCode))
            return end(.exited(complaint.exitCode))
        }
        guard behaviour.becomesReady else { return }
        send(.ready)
        send(.heartbeat(behaviour.counters))
    }

    private func take(_ message: SupervisorMessage) {
        received.append(message)
        switch message {
        case .drain:
            send(.listenerReleased)
            send(.draining(remaining: 0))
            end(.exited(0))
        case .query(let id, let query) where behaviour.answersQueries: answer(id, query)
        case .configure, .lameDuck, .logLevel, .query: break
        }
    }

    private func answer(_ id: Int, _ query: ChildQuery) {
        let number = configuration.slot.number
        switch query {
        case .clients(let filter):
            let all = [Self.client("\(number)-1", worker: number), Self.client("\(number)-2", worker: number)]
            let found = all.filter { filter.id == nil || filter.id == $0.id }
            for client in found { send(.reply(id: id, page: .clients([client]), more: true)) }
            send(.reply(id: id, page: .clients([]), more: false))
        case .rooms(let prefix):
            var rooms = [RoomInfo(room: "lobby", members: 2), RoomInfo(room: "own-\(number)", members: 1)]
            if configuration.slot.role == .hub {
                (rooms[0].epoch, rooms[0].offset) = ("3k9", 42)
            } else {
                (rooms[0].messages, rooms[0].bytes) = (number * 10, number * 100)
            }
            send(.reply(id: id, page: .rooms(rooms.filter { $0.room.hasPrefix(prefix ?? "") }), more: false))
        case .kick(let client, _, _):
            send(.reply(id: id, page: .count(client.hasPrefix("\(number)-") ? 1 : 0), more: false))
        case .publish(let room, _):
            send(.reply(id: id, page: room == "full" ? .refused("That room is full.") : .count(3), more: false))
        case .trace, .untrace:
            send(.reply(id: id, page: .count(1), more: false))
        case .backend(let json):
            // Two pages: what is asked comes back as the room of a publication.
            let answer = behaviour.backendAnswer?(json) ?? #"{"room":"lobby","epoch":"3k9","offset":42}"#
            send(.reply(id: id, page: .backend(json: String(answer.prefix(5))), more: true))
            send(.reply(id: id, page: .backend(json: String(answer.dropFirst(5))), more: false))
        }
    }

    private static func client(_ id: String, worker: Int) -> ClientInfo {
        ClientInfo(
            id: id, worker: worker, address: "127.0.0.1:1", user: nil, path: "/ws", origin: nil, userAgent: nil,
            dialect: "simple", rooms: ["lobby"], connectedAt: 1, messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0,
            queue: 0)
    }

    private final class Reader: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let take: (SupervisorMessage) -> Void
        private var decoder = ChildLinkDecoder<SupervisorMessage>()

        init(_ take: @escaping (SupervisorMessage) -> Void) {
            self.take = take
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            decoder.append(unwrapInboundIn(data))
            while let message = try? decoder.next() { take(message) }
        }
    }
}
