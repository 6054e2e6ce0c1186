import ChildRuntime
import Glibc
import LinuxSystem
import Logging
import Model
import NIOCore
import NIOPosix
import Realtime
import Wire

/// Ties the hub's server to its supervisor. Confined to the event loop.
final class HubRole {
    /// After the supervisor is gone: how long workers may take to drain before the hub leaves all the same.
    static let orphanTimeout = TimeAmount.seconds(60)
    /// Rooms in one page of an answer to a query.
    static let roomsPerPage = 500
    /// Characters in one page of an answer to a call of the backend: escaped, they still fit into a line of the link.
    static let charactersPerPage = 100_000

    private let process: ChildProcess
    private let server: HubServer
    private let history: HubHistory?
    private let logger = Logger(label: "wsd.hub")
    private var listener: (any Channel)?
    private var isLeaving = false
    private var hasEnded = false

    /// Opens the history, which may take until the last hub has let go of it.
    init(process: ChildProcess) throws(HistoryStartError) {
        self.process = process
        let configuration = process.configuration.configuration
        history = try HubHistory.open(
            configuration, environment: Self.environment, uid: geteuid(), loop: process.eventLoop, logger: logger)
        server = HubServer(
            loop: process.eventLoop, logger: logger, boot: process.boot, configuration: configuration,
            expectedLinks: process.configuration.livingWorkers, storage: history?.store,
            seed: .random(in: .min ... .max),
            wallClock: { Int64(Clocks.wallSeconds() * 1000) })
    }

    static let environment: [String: String] = {
        var values: [String: String] = [:]
        for name in ["STATE_DIRECTORY", "XDG_STATE_HOME", "HOME"] {
            values[name] = getenv(name).map { String(cString: $0) }
        }
        return values
    }()

    /// Binds the socket, then says READY.
    func begin() {
        process.serve(
            ChildHandlers(
                counters: { self.counters },
                drain: { _, _, deadline in self.leave(within: TimeAmount(deadline)) },
                // The hub's readiness is the link itself.
                lameDuck: { _ in },
                query: { id, query in self.answer(id, query) },
                linkClosed: { self.beOrphaned() }
            ))
        tend()
        let path = process.configuration.hubSocket
        let server = NIOLoopBound(server, eventLoop: process.eventLoop)
        ServerBootstrap(group: process.eventLoop)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 65536, maximum: 262_144)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(HubLinkHandler(server: server.value))
                }
            }
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    self.listener = channel
                    self.process.ready()
                case .failure(let error):
                    let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
                    self.process.fail(
                        "The hub cannot listen on \(path): \(reason). Check the directory's owner and permissions.",
                        exitCode: ExitCode.osError)
                }
            }
    }

    private func tend() {
        let interval = TimeAmount(FreedMemory.interval)
        process.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in FreedMemory.giveBack() }
        history?.begin { reason in
            self.server.stop()
            self.hasEnded = true
            self.process.fail(reason)
        }
    }

    private var counters: ChildCounters {
        var counters = server.counters
        history?.addFigures(to: &counters)
        return counters
    }

    /// Ends once no worker is connected, at the latest after `limit`.
    private func leave(within limit: TimeAmount) {
        guard !server.hasNoLinks else { return end() }
        process.eventLoop.assumeIsolated().scheduleTask(in: limit) { self.end() }
        guard !isLeaving else { return }
        isLeaving = true
        logger.info("The hub leaves once its workers are gone")
        server.whenEmpty = { self.end() }
    }

    /// The workers of a service that starts already must not find this hub: they would keep it, and its hold on the history.
    private func beOrphaned() {
        listener?.close(promise: nil)
        listener = nil
        leave(within: Self.orphanTimeout)
    }

    private func end() {
        guard !hasEnded else { return }
        hasEnded = true
        server.stop()
        history?.close()
        process.finish()
    }

    private func answer(_ id: Int, _ query: ChildQuery) {
        switch query {
        case .rooms(let prefix): answerRooms(id, prefix: prefix ?? "")
        case .publish(let room, let data):
            server.publish(room: room, data: data) { result in
                switch result {
                case .success(let members): self.process.reply(id, .count(members))
                case .failure(let refusal): self.process.reply(id, .refused(refusal.reason))
                }
            }
        case .backend(let json):
            server.answer(ByteBuffer(string: json)) { self.reply(id, json: $0) }
        case .clients, .kick, .trace, .untrace:
            process.reply(id, .refused("The hub has no clients of its own; ask the workers."))
        }
    }

    private func answerRooms(_ id: Int, prefix: String) {
        var page: [RoomInfo] = []
        server.machine.forEachSummary { room in
            guard room.members > 0 || room.messages > 0, room.name.text.utf8.starts(with: prefix.utf8) else { return }
            var info = RoomInfo(room: room.name.text, members: room.members)
            info.epoch = room.position?.epoch.description
            info.offset = room.position?.offset
            page.append(info)
            guard page.count == Self.roomsPerPage else { return }
            process.reply(id, .rooms(page), more: true)
            page = []
        }
        process.reply(id, .rooms(page))
    }

    /// In pages, where it is long.
    private func reply(_ id: Int, json: ByteBuffer) {
        var rest = String(buffer: json)[...]
        repeat {
            let page = rest.prefix(Self.charactersPerPage)
            rest = rest.dropFirst(page.count)
            process.reply(id, .backend(json: String(page)), more: !rest.isEmpty)
        } while !rest.isEmpty
    }
}

/// Ends the process at once.
func exitProcess(_ code: Int32) -> Never {
    exit(code)
}
