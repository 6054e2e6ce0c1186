import ControlClient
import Glibc
import LinuxSystem
import Wire

/// Drives a ``MonitScreen``: terminal and control socket on one side, facts and keys on the other.
struct MonitRun {
    enum Event: Sendable {
        case input(MonitInput.Event)
        case status(ServiceStatus)
        case lost(String)
        case progress(MonitRequest, OperationProgress)
        case failed(MonitRequest, String)
        /// The service, as asked.
        case ended(MonitRequest)
        case log
        /// A frame is due that had to wait.
        case frame
    }

    /// Events that wait for a slow terminal; later ones are lost.
    private static let maxEvents = 1024
    /// Operations at the same time.
    private static let maxOperations = 8
    private static let interval = Duration.seconds(1)
    /// Between two frames: after a key, and for log lines.
    private static let keyFrame = Duration.milliseconds(20)
    private static let logFrame = Duration.milliseconds(100)
    /// Before the log of a row is asked for: a selection that moves on asks for none.
    private static let selectionRest = Duration.milliseconds(80)

    private let client: ControlClient
    private let style: Style
    private let isUTF8: Bool
    private let output: Output
    private let events: AsyncStream<Event>
    private let queue: AsyncStream<Event>.Continuation

    private var screen: MonitScreen
    private var frame = MonitFrame()
    private var log = SharedMonitLog()
    private var logCall: ControlRequest?
    private var follower: Task<Void, Never>?
    private var operations = 0
    private var lastFrame = ContinuousClock.now - .seconds(1)
    private var isFrameAwaited = false

    init(client: ControlClient, output: Output, style: Style, isUTF8: Bool, status: ServiceStatus) {
        (self.client, self.output, self.style, self.isUTF8) = (client, output, style, isUTF8)
        (events, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.maxEvents))
        screen = MonitScreen(size: Self.size())
        screen.arrived(status)
    }

    /// Until the person ends it. Throws where the terminal cannot be taken.
    mutating func run() async throws {
        let signals = try FullScreenTerminal.signals()
        try FullScreenTerminal.enter(MonitFrame.enter, leave: MonitFrame.leave)
        defer { FullScreenTerminal.leave() }
        try MonitInput.start(signals: signals) { [queue] in queue.yield(.input($0)) }
        let watcher = Task { [client, queue] in await Self.watch(client, queue) }
        defer {
            watcher.cancel()
            follower?.cancel()
        }
        follow()
        try draw()
        for await event in events {
            screen.extent = log.look().extent
            guard try handle(event) else { return }
            follow()
            try drawWhenDue(after: event)
        }
    }

    /// Returns whether it goes on.
    private mutating func handle(_ event: Event) throws -> Bool {
        switch event {
        case .input(.keys(let keys)):
            for key in keys {
                guard try perform(screen.pressed(key)) else { return false }
            }
        case .input(.signal(let signal)): return try handle(signal: signal)
        case .input(.ended): return false
        case .status(let status): screen.arrived(status)
        case .lost(let sentence): screen.isLost(sentence)
        case .progress(let request, let progress): screen.said(progress, of: request)
        case .failed(let request, let sentence):
            screen.failed(request, sentence)
            operations -= 1
        case .ended(let request):
            if request.endsService { screen.ended(request) }
            operations -= 1
        case .log: break
        case .frame: isFrameAwaited = false
        }
        return true
    }

    private mutating func handle(signal: Int32) throws -> Bool {
        switch signal {
        case SIGWINCH: screen.size = Self.size()
        case SIGCONT: try enterAgain()
        case SIGTSTP: try suspend()
        default: FullScreenTerminal.end(by: signal)
        }
        return true
    }

    private mutating func perform(_ action: MonitScreen.Action?) throws -> Bool {
        switch action {
        case .quit: return false
        case .suspend: try suspend()
        case .redraw: frame.forget()
        case .perform(let request): begin(request)
        case nil: break
        }
        return true
    }

    private mutating func suspend() throws {
        FullScreenTerminal.stop()
        try enterAgain()
    }

    private mutating func enterAgain() throws {
        try FullScreenTerminal.enter(MonitFrame.enter, leave: MonitFrame.leave)
        screen.size = Self.size()
        frame.forget()
    }

    private static func size() -> FullScreenTerminal.Size {
        FullScreenTerminal.size() ?? FullScreenTerminal.Size(columns: 80, rows: 24)
    }
}

// MARK: - Drawing

extension MonitRun {
    private mutating func drawWhenDue(after event: Event) throws {
        let pause: Duration
        switch event {
        case .log: pause = Self.logFrame
        default: pause = Self.keyFrame
        }
        let wait = lastFrame + pause - ContinuousClock.now
        if wait <= .zero { return try draw() }
        drawLater(wait)
    }

    private mutating func drawLater(_ wait: Duration) {
        guard !isFrameAwaited else { return }
        isFrameAwaited = true
        Task { [queue] in
            try? await Task.sleep(for: wait)
            queue.yield(.frame)
        }
    }

    private mutating func draw() throws {
        // A terminal that takes nothing gets the latest frame when it does again.
        var writable = pollfd(fd: output.descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&writable, 1, 0) > 0 else { return drawLater(Self.logFrame) }
        lastFrame = ContinuousClock.now
        let log = log.look()
        screen.extent = log.extent
        var lines = screen.lines(log, style, now: WallClock.now)
        if !isUTF8 { lines = lines.map(PaintedText.ascii) }
        let bytes = frame.bytes(lines, screen.size)
        if !bytes.isEmpty { try output.write(bytes) }
    }
}

// MARK: - The service

extension MonitRun {
    /// Asks for the status every second.
    private static func watch(_ client: ControlClient, _ queue: AsyncStream<Event>.Continuation) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: interval)
            do {
                queue.yield(.status(try await status(client)))
            } catch {
                queue.yield(.lost(sentence(error)))
            }
        }
    }

    private static func status(_ client: ControlClient) async throws -> ServiceStatus {
        let request = ControlRequest(.get, "/v1/status")
        do {
            return try await client.value(ServiceStatus.self, request)
        } catch ControlClientError.cutOff {
            // A program that takes the service over answers next.
            return try await client.value(ServiceStatus.self, request)
        }
    }

    /// Has the log of the selected row come.
    private mutating func follow() {
        guard let call = screen.logCall, call != logCall else { return }
        logCall = call
        follower?.cancel()
        let log = SharedMonitLog()
        self.log = log
        screen.extent = MonitLog.Extent()
        follower = Task { [client, queue] in
            try? await Task.sleep(for: Self.selectionRest)
            while !Task.isCancelled {
                // Why it ended is told with the status, if it is more than the service's end.
                try? await client.lines(call) { if log.append($0) { queue.yield(.log) } }
                log.ended()
                try? await Task.sleep(for: Self.interval)
            }
        }
    }

    private mutating func begin(_ request: MonitRequest) {
        guard operations < Self.maxOperations else {
            screen.failed(request, "\(Self.maxOperations) operations are running; wait for one to end.")
            return
        }
        operations += 1
        Task { [client, queue] in
            var last: OperationProgress?
            do {
                try await client.lines(request.call) { line in
                    let progress = try ControlClient.decode(OperationProgress.self, line)
                    last = progress
                    queue.yield(.progress(request, progress))
                }
                guard last?.done == true || request.endsService else { throw ControlClientError.cutOff }
                queue.yield(.ended(request))
            } catch {
                let isExpected = request.endsService && last != nil && error as? ControlClientError == .cutOff
                queue.yield(isExpected ? .ended(request) : .failed(request, Self.sentence(error)))
            }
        }
    }

    private static func sentence(_ error: any Error) -> String {
        if case ControlClientError.notRunning = error { return "wsd does not run." }
        return String("\(error)".prefix { $0 != "\n" })
    }
}
