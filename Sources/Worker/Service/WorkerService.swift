import Authentication
import ChildRuntime
import LinuxSystem
import Logging
import Model
import NIOCore
import NIOPosix
import Webhooks
import Wire

/// Builds a worker around its engine and connects it to the supervisor: the only part that knows the process.
enum WorkerService {
    /// - Parameter process: has its configuration and has said hello. Called on its event loop.
    static func start(_ process: ChildProcess) {
        let child = process.configuration
        let logger = Logger(label: "wsd.worker")
        let parts: WorkerEngine.Parts
        do {
            parts = try makeParts(process, logger)
        } catch {
            // The fault is a file's, which the start of the service found good: it may be about to be replaced.
            process.fail("\(error)", exitCode: ExitCode.temporary)
            return
        }
        let engine = WorkerEngine(
            child: child, boot: process.boot, eventLoop: process.eventLoop, logger: logger, parts: parts,
            clock: MonotonicTime.now)
        engine.supervisor = SupervisorLink(
            listenerReleased: { process.send(.listenerReleased) },
            draining: { process.send(.draining(remaining: $0)) },
            finished: { process.finish() },
            trace: { process.send(.trace(id: $0, events: $1, dropped: $2)) },
            isReading: { process.isWritable })
        engine.board = claimCell(child, logger)
        engine.http = makeHTTP(engine)
        let link = HubLinkClient(path: child.hubSocket, engine: engine)
        engine.hubLink = link
        process.serve(handlers(engine, process))
        let tick = TimeAmount(IdleWheel<ConnectionKey>.tick)
        let bound = NIOLoopBound(engine, eventLoop: process.eventLoop)
        process.eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { _ in bound.value.tick() }
        let interval = TimeAmount(FreedMemory.interval)
        process.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in FreedMemory.giveBack() }
        // The hub may stay away: then the worker serves all the same, and tells clients what it cannot do.
        link.start { listen(engine, process) }
    }

    /// - Throws: a sentence: a key, the TLS certificate or the webhooks' secret cannot be used.
    private static func makeParts(_ process: ChildProcess, _ logger: Logger) throws -> WorkerEngine.Parts {
        let configuration = process.configuration.configuration
        var parts = WorkerEngine.Parts()
        if configuration.auth.isConfigured { parts.verifier = try TokenVerifier(configuration: configuration.auth) }
        if configuration.tls.isOn { parts.tls = try TLSPair.load(configuration.tls) }
        if configuration.webhooks.isUsed {
            parts.application = Application(
                try WebhookCaller(
                    configuration: configuration.webhooks, eventLoop: process.eventLoop, logger: logger,
                    wallTime: Clocks.wallSeconds))
        }
        return parts
    }

    private static func handlers(_ engine: WorkerEngine, _ process: ChildProcess) -> ChildHandlers {
        ChildHandlers(
            counters: { engine.currentCounters() },
            drain: { code, spread, deadline in engine.beginDrain(code: code, spread: spread, deadline: deadline) },
            lameDuck: { engine.isLameDuck = $0 },
            query: { id, query in
                engine.answer(query) { page, more in process.reply(id, page, more: more) }
            },
            linkClosed: {
                guard !engine.isDraining else { return }
                engine.logger.warning("The supervisor is gone: draining")
                let reload = engine.configuration.reload
                engine.beginDrain(code: .serviceRestart, spread: reload.drainSpread, deadline: reload.drainTimeout)
            })
    }

    private static func claimCell(_ child: ChildConfiguration, _ logger: Logger) -> WorkerEngine.Board? {
        do {
            let board = try FleetBoard(adopting: ChildDescriptors.board)
            guard let cell = board.claim(slot: child.slot.number, instance: child.instance.rawValue) else { return nil }
            return WorkerEngine.Board(board: board, cell: cell)
        } catch {
            // Without it connections are spread as the kernel happens to do it.
            logger.warning("No fleet board", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private static func makeHTTP(_ engine: WorkerEngine) -> WorkerHTTP {
        let bound = NIOLoopBound(engine, eventLoop: engine.eventLoop)
        var hooks = WorkerHTTPHooks(
            notReadyReason: { bound.value.notReadyReason },
            metrics: { MetricsText.render(bound.value.currentCounters(), worker: bound.value.child.slot.number) },
            backend: { request in
                let promise = bound.value.eventLoop.makePromise(of: Result<[UInt8], ClientRefusal>.self)
                bound.value.callBackend(request) { promise.succeed($0) }
                return promise.futureResult
            },
            upgrade: { channel, head, leftover in bound.value.adoptUpgrade(channel, head: head, leftover: leftover) })
        hooks.workers = { (bound.value.child.slot.number, bound.value.board?.board.sumOfLiving().workers) }
        hooks.handshakes = engine.admission.handshakes.map { NIOLoopBound($0, eventLoop: engine.eventLoop) }
        if engine.configuration.http.dashboard {
            let calls = DashboardCalls(socket: engine.child.controlSocket, eventLoop: engine.eventLoop)
            hooks.dashboard = NIOLoopBound(calls, eventLoop: engine.eventLoop)
        }
        let http = WorkerHTTP(
            configuration: engine.configuration, eventLoop: engine.eventLoop, hooks: hooks, logger: engine.logger)
        http.routes.tunnelEnded = { [unowned engine] in engine.socketClosed() }
        return http
    }

    /// Begins to accept and says READY.
    private static func listen(_ engine: WorkerEngine, _ process: ChildProcess) {
        guard !engine.isDraining else { return }
        let kinds = ListenerKind.all(process.configuration)
        let descriptors = kinds.indices.map { ChildDescriptors.firstListener + Int32($0) }
        let bootstraps = kinds.map { bootstrap(engine, for: $0) }
        let acceptor = Acceptor(
            descriptors: descriptors, eventLoop: engine.eventLoop, logger: engine.logger,
            environment: Acceptor.Environment(
                load: { (engine.openSockets, engine.board?.board.meanOfLiving() ?? Double(engine.openSockets)) },
                now: { engine.now },
                adopt: { accepted, listener in
                    let index = Int(listener - ChildDescriptors.firstListener)
                    _ = bootstraps[index].withConnectedSocket(accepted)
                },
                paused: { engine.counters.acceptPauses += 1 }))
        do {
            try acceptor.start()
        } catch {
            process.fail("The worker cannot wait for connections: \(error)", exitCode: ExitCode.osError)
            return
        }
        engine.acceptor = acceptor
        engine.tls?.start()
        process.ready()
        engine.logger.debug("Worker ready", metadata: ["listeners": "\(descriptors.count)"])
    }

    private static func bootstrap(_ engine: WorkerEngine, for kind: ListenerKind) -> ClientBootstrap {
        let bound = NIOLoopBound(engine, eventLoop: engine.eventLoop)
        return ClientBootstrap(group: engine.eventLoop).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try bound.value.admit(channel, from: kind) }
        }
    }
}
