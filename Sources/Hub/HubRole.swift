import ChildRuntime
import Glibc
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

    private let process: ChildProcess
    private let server: HubServer
    private let logger = Logger(label: "wsd.hub")
    private var listener: (any Channel)?
    private var isLeaving = false

    init(process: ChildProcess) {
        self.process = process
        let configuration = process.configuration.configuration
        server = HubServer(
            loop: process.eventLoop, logger: logger, boot: process.boot, configuration: configuration,
            expectedLinks: process.configuration.livingWorkers)
    }

    /// Binds the socket, then says READY.
    func begin() {
        process.serve(
            ChildHandlers(
                counters: { self.server.counters },
                drain: { _, _, deadline in self.leave(within: TimeAmount(deadline)) },
                // The hub's readiness is the link itself.
                lameDuck: { _ in },
                query: { id, query in self.answer(id, query) },
                linkClosed: { self.leave(within: Self.orphanTimeout) }
            ))
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

    /// Ends once no worker is connected, at the latest after `limit`.
    private func leave(within limit: TimeAmount) {
        guard !server.hasNoLinks else { return process.finish() }
        process.eventLoop.assumeIsolated().scheduleTask(in: limit) { self.process.finish() }
        guard !isLeaving else { return }
        isLeaving = true
        logger.info("The hub leaves once its workers are gone")
        server.whenEmpty = { self.process.finish() }
    }

    private func answer(_ id: Int, _ query: ChildQuery) {
        switch query {
        case .rooms(let prefix):
            var page: [RoomInfo] = []
            server.machine.forEachRoom { room, members in
                guard prefix.map({ room.text.hasPrefix($0) }) ?? true else { return }
                page.append(RoomInfo(room: room.text, members: members))
                guard page.count == Self.roomsPerPage else { return }
                process.reply(id, .rooms(page), more: true)
                page = []
            }
            process.reply(id, .rooms(page))
        case .publish(let room, let data):
            switch server.publish(room: room, data: data) {
            case .success(let members): process.reply(id, .count(members))
            case .failure(let refusal): process.reply(id, .refused(refusal.reason))
            }
        case .clients, .kick:
            process.reply(id, .refused("The hub has no clients of its own; ask the workers."))
        }
    }
}

/// Ends the process at once.
func exitProcess(_ code: Int32) -> Never {
    exit(code)
}
