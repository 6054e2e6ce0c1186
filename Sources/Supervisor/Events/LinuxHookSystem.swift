import Glibc
import LinuxSystem
import Model
import NIOCore
import NIOPosix
import Supervision
import Wire

/// Carries hooks out for real. Confined to the event loop.
final class LinuxHookSystem: EventHookSystem {
    private struct Run {
        var pid: Int32
        var deadline: Scheduled<Void>
        var isLate = false
        var done: (String?) -> Void
    }

    private let eventLoop: any EventLoop
    private let children: LinuxChildSystem
    private let log: LogCenter
    /// What a hook is started with, besides the event.
    private let environment: [String]
    private let tags = ProgramTags()
    private let trees: ProgramTrees
    private lazy var webhook = EventWebhook(eventLoop: eventLoop)
    private var runs: [InstanceID: Run] = [:]
    private var lastRun = 0

    init(
        eventLoop: any EventLoop, children: LinuxChildSystem, log: LogCenter, environment: [String: String],
        controlSocket: String
    ) {
        self.eventLoop = eventLoop
        self.children = children
        self.log = log
        let own = ChildSpawner.childEnvironment(from: environment.filter { !$0.key.hasPrefix("WSD_") })
        self.environment = own + ["WSD_SOCKET=\(controlSocket)"]
        trees = ProgramTrees(eventLoop: eventLoop)
    }

    func call(_ hook: EventHookConfiguration, _ event: ServiceEvent, done: @escaping (String?) -> Void) {
        guard let url = hook.url else { return later(done, nil) }
        webhook.post(ControlJSON.line(event), to: url, timeout: hook.timeout, done: done)
    }

    func run(_ hook: EventHookConfiguration, name: String, _ event: ServiceEvent, done: @escaping (String?) -> Void) {
        lastRun += 1
        let instance = InstanceID(rawValue: lastRun)
        do {
            let output = try Descriptors.pipe()
            defer { Descriptors.close(output.write) }
            do {
                try start(hook, instance, event, output.write, done)
            } catch {
                Descriptors.close(output.read)
                throw error
            }
            adopt(output.read, LogSource(name: name, stream: .out, pid: runs[instance]?.pid ?? 0))
        } catch {
            later(done, "\(error)")
        }
    }

    private func start(
        _ hook: EventHookConfiguration, _ instance: InstanceID, _ event: ServiceEvent, _ output: CInt,
        _ done: @escaping (String?) -> Void
    ) throws {
        let (process, root) = try HookSpawner.spawn(
            hook.run, environment: environment + EventVariables.of(event),
            input: Array(ControlJSON.line(event).readableBytesView), output: output, tag: tags.tag(of: instance))
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        try children.watch(process) { exit in bound.value.ended(instance, exit) }
        let timeout = TimeAmount.nanoseconds(hook.timeout.nanoseconds)
        let deadline = eventLoop.scheduleTask(in: timeout) { bound.value.timedOut(instance) }
        runs[instance] = Run(pid: process.pid, deadline: deadline, done: done)
        trees.add(root, of: instance)
    }

    private func timedOut(_ instance: InstanceID) {
        guard let run = runs[instance] else { return }
        runs[instance]?.isLate = true
        children.signal(run.pid, SIGKILL)
        trees.kill(instance)
    }

    private func ended(_ instance: InstanceID, _ exit: ProcessExit) {
        guard let run = runs.removeValue(forKey: instance) else { return }
        run.deadline.cancel()
        // It is one run: nothing of it goes on.
        trees.sweep(instance) {}
        if run.isLate { return run.done("it took longer than its timeout and was killed") }
        run.done(exit == .exited(0) ? nil : "it \(exit.sentence)")
    }

    private func adopt(_ descriptor: CInt, _ source: LogSource) {
        let pump = LogPump(log: log, source: source, clock: MonotonicTime.now)
        AdoptedDescriptor.read(descriptor, on: eventLoop) { channel in
            try channel.pipeline.syncOperations.addHandler(pump)
        }
    }

    private func later(_ done: @escaping (String?) -> Void, _ failure: String?) {
        let bound = NIOLoopBound(done, eventLoop: eventLoop)
        eventLoop.execute { bound.value(failure) }
    }
}

/// An event as variables of a hook's environment.
enum EventVariables {
    /// Bytes of one value; what is beyond is left out.
    static let maxValue = 4096

    static func of(_ event: ServiceEvent) -> [String] {
        let values: [(String, String?)] = [
            ("TYPE", event.type), ("SEQUENCE", "\(event.sequence)"), ("TIME", "\(event.time)"),
            ("LEVEL", event.level.rawValue), ("MESSAGE", event.message), ("TEXT", event.text),
            ("PROCESS", event.process), ("PROGRAM", event.program), ("WORKER", event.worker.map(String.init)),
            ("PID", event.pid.map(String.init)), ("CODE", event.code.map(String.init)), ("SIGNAL", event.signal),
            ("CORE_DUMPED", event.coreDumped.map(String.init)),
            ("OUT_OF_MEMORY", event.outOfMemory.map(String.init)),
            ("EXPECTED", event.expected.map(String.init)), ("REASON", event.reason),
            ("UPTIME", event.uptime.map { "\($0)" }), ("RESTARTS", event.restarts.map(String.init)),
            ("MEMORY", event.memory.map(String.init)), ("MEMORY_LIMIT", event.memoryLimit.map(String.init)),
            ("START_TIME", event.startTime.map { "\($0)" }), ("DELAY", event.delay.map { "\($0)" }),
            ("OPERATION", event.operation), ("RESULT", event.result), ("LEFT_OUT", event.leftOut.map(String.init)),
        ]
        let fields = (event.fields ?? [:]).sorted { $0.key < $1.key }.map { name, value in
            (String(name.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }), Optional(value))
        }
        return (values + fields).compactMap { name, value in
            // An environment cannot hold a NUL.
            value.map {
                "WSD_EVENT_\(name)=\(String(decoding: $0.utf8.filter { $0 != 0 }.prefix(maxValue), as: UTF8.self))"
            }
        }
    }
}

extension EventHooks {
    /// Hooks with real processes and calls.
    convenience init(
        eventLoop: any EventLoop, children: LinuxChildSystem, log: LogCenter, environment: [String: String],
        controlSocket: String
    ) {
        self.init(
            log: log,
            system: LinuxHookSystem(
                eventLoop: eventLoop, children: children, log: log, environment: environment,
                controlSocket: controlSocket),
            clock: MonotonicTime.now)
    }
}
