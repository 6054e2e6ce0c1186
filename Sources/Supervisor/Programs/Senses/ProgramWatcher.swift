import LinuxSystem
import Model
import NIOCore
import NIOPosix

/// Watches the files of programs, and tells of changes once they have come to an end. Confined to the event loop.
final class ProgramWatcher {
    private let eventLoop: any EventLoop
    private let changed: (_ program: String, _ path: String) -> Void
    private let failed: (_ program: String, _ sentence: String) -> Void
    private var watches: [String: Watch] = [:]

    /// - Parameters:
    ///   - changed: something changed, and then nothing for the program's `watchDelay`; with the first path.
    ///   - failed: something cannot be watched. Once for each ``watch(_:_:)`` at most; what can be is watched all the same, but
    ///     for paths that do not exist.
    init(
        eventLoop: any EventLoop, changed: @escaping (_ program: String, _ path: String) -> Void,
        failed: @escaping (_ program: String, _ sentence: String) -> Void
    ) {
        (self.eventLoop, self.changed, self.failed) = (eventLoop, changed, failed)
    }

    /// Watches what a program's configuration names from now on; `nil`: nothing. What is watched already goes on.
    ///
    /// The callbacks never come before this returns.
    func watch(_ program: String, _ configuration: ProgramConfiguration?) {
        let plan = configuration.flatMap(WatchPlan.init)
        guard plan != watches[program]?.plan else { return }
        watches.removeValue(forKey: program)?.stop()
        guard let plan else { return }
        watches[program] = Watch(
            plan, eventLoop: eventLoop, changed: { [changed] in changed(program, $0) },
            failed: { [failed] in failed(program, $0) })
    }

    /// A program's files are watched: those that change from now on are told.
    func isWatching(_ program: String) -> Bool { watches[program]?.isWatching ?? false }

    func stop() {
        for watch in watches.values { watch.stop() }
        watches = [:]
    }
}

/// What is watched of one program, and how.
struct WatchPlan: Hashable, Sendable {
    var paths: [String]
    var ignore: [String]
    var folder: String?
    var delay: Duration

    init?(_ configuration: ProgramConfiguration) {
        guard !configuration.watch.isEmpty else { return nil }
        paths = configuration.watch
        ignore = configuration.watchIgnore
        folder = configuration.folder
        delay = configuration.watchDelay
    }
}

/// One program's watch. Confined to the event loop.
private final class Watch {
    /// Between two looks for a folder that is gone.
    private static let retryInterval = TimeAmount.seconds(1)

    let plan: WatchPlan
    private let eventLoop: any EventLoop
    private let failed: (String) -> Void
    private let quiet: QuietTime
    private var files: FileWatch?
    private var channel: (any Channel)?
    private var retry: Scheduled<Void>?
    private var isStopped = false
    private var hasFailed = false

    var isWatching: Bool { files != nil && channel != nil }

    init(
        _ plan: WatchPlan, eventLoop: any EventLoop, changed: @escaping (String) -> Void,
        failed: @escaping (String) -> Void
    ) {
        (self.plan, self.eventLoop, self.failed) = (plan, eventLoop, failed)
        quiet = QuietTime(TimeAmount(plan.delay), eventLoop: eventLoop, changed)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        // A look at thousands of folders is nothing for the event loop.
        FileWatch.start(plan.paths, base: plan.folder, ignore: plan.ignore) { result in
            switch result {
            case .success(let files):
                let box = NIOLoopBoundBox.makeBoxSendingValue(files, eventLoop: bound.eventLoop)
                bound.eventLoop.execute { bound.value.opened(box.value) }
            case .failure(let error):
                bound.eventLoop.execute { bound.value.fail(error.description) }
            }
        }
    }

    func stop() {
        isStopped = true
        quiet.stop()
        retry?.cancel()
        channel?.close(promise: nil)
        channel = nil
        files = nil
    }

    private func opened(_ files: FileWatch) {
        guard !isStopped else { return }
        let descriptor: CInt
        do {
            descriptor = try files.waitable()
        } catch {
            return fail(error.description)
        }
        self.files = files
        AdoptedDescriptor.read(descriptor, on: eventLoop, readSize: FileWatch.readSize) { [self] channel in
            try channel.pipeline.syncOperations.addHandler(EventHandler { self.took($0) })
            self.channel = channel
        } failed: { [self] error in
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            eventLoop.execute { bound.value.fail("Its files cannot be watched: \(error)") }
        }
        look()
    }

    private func took(_ events: ByteBuffer) {
        guard let files else { return }
        events.withUnsafeReadableBytes { files.take($0) }.forEach(quiet.changed)
        look()
    }

    /// Says what cannot be seen, and looks again later where events would not tell.
    private func look() {
        guard let files, !isStopped else { return }
        if let problem = files.problem { fail(problem) }
        guard files.isBlind, retry == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        retry = eventLoop.scheduleTask(in: Self.retryInterval) {
            let watch = bound.value
            watch.retry = nil
            watch.files?.retry().forEach(watch.quiet.changed)
            watch.look()
        }
    }

    private func fail(_ sentence: String) {
        guard !hasFailed, !isStopped else { return }
        hasFailed = true
        failed(sentence)
    }

    private final class EventHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let took: (ByteBuffer) -> Void

        init(_ took: @escaping (ByteBuffer) -> Void) {
            self.took = took
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            took(unwrapInboundIn(data))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
