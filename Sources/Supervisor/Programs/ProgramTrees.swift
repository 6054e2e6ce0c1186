import LinuxSystem
import Model
import NIOCore
import NIOPosix
import Synchronization

/// What came from the programs' processes: looks for it and ends it on a thread of its own, since every look goes through all
/// processes of the machine. Confined to the event loop but for that thread's part.
final class ProgramTrees {
    /// Between two attempts to end what an ended process left behind; doubled each time, up to the longer.
    static let firstPause = TimeAmount.milliseconds(10)
    static let longestPause = TimeAmount.seconds(1)
    /// Attempts, for about five minutes: what is still there then hangs in the kernel.
    static let maxAttempts = 300

    private let eventLoop: any EventLoop
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let trees = Trees()
    private var isStarted = false
    /// What was asked for since the last look began.
    private var kills: Set<InstanceID> = []
    private var sweeps: [InstanceID: Sweep] = [:]
    private var isWorking = false
    /// Looks that measure and go on.
    private var measuring = 0
    /// No look is begun until it is `false` again; see ``isResting``.
    var isHeld = false {
        didSet { work() }
    }
    /// A tree is gone, and its group removed.
    var dissolved: (ProgramTreeRoot) -> Void = { _ in }

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// No look goes on.
    var isResting: Bool { !isWorking && measuring == 0 }

    /// All trees as they were last seen.
    var known: [InstanceID: ProgramTree] { trees.all.withLock { $0 } }

    /// Takes over what another one knew, before anything else.
    func resume(_ known: [InstanceID: ProgramTree]) { trees.all.withLock { $0 = known } }

    deinit {
        pool.shutdownGracefully { _ in }
    }

    func add(_ root: ProgramTreeRoot, of instance: InstanceID) {
        trees.all.withLock { $0[instance] = ProgramTree(root: root) }
    }

    func measure(_ took: @escaping ([InstanceID: ProgramFigures]) -> Void) {
        guard !isHeld else {
            let bound = NIOLoopBound(took, eventLoop: eventLoop)
            return eventLoop.execute { bound.value([:]) }
        }
        measuring += 1
        let trees = trees
        run({ trees.figures() }) { [self] figures in
            measuring -= 1
            took(figures)
        }
    }

    /// SIGKILL to all of it.
    func kill(_ instance: InstanceID) {
        kills.insert(instance)
        work()
    }

    /// The same until nothing is left.
    func sweep(_ instance: InstanceID, gone: @escaping () -> Void) {
        sweeps[instance] = Sweep(pause: Self.firstPause, left: Self.maxAttempts, gone: gone)
        work()
    }

    /// Everything that is due, with the same looks for all of it: one takes as long for a hundred trees as for one.
    private func work() {
        guard !isWorking, !isHeld, !sweeps.isEmpty || !kills.isEmpty else { return }
        isWorking = true
        let (taken, instances) = (sweeps, kills.union(sweeps.keys))
        (sweeps, kills) = ([:], [])
        let trees = trees
        let bound = NIOLoopBound((trees: self, taken: taken), eventLoop: eventLoop)
        run({ [ended = Set(taken.keys)] in trees.kill(instances.sorted(), ended: ended) }) { gone in
            let (trees, taken) = bound.value
            trees.isWorking = false
            for (instance, sweep) in taken.sorted(by: { $0.key < $1.key }) {
                trees.looked(instance, sweep, gone[instance] ?? .unknown)
            }
            trees.work()
        }
    }

    private func looked(_ instance: InstanceID, _ sweep: Sweep, _ end: End) {
        switch end {
        case .unknown: sweep.gone()
        case .gone(let root):
            dissolved(root)
            sweep.gone()
        case .alive:
            guard sweep.left > 1 else { return }
            var next = sweep
            next.pause = min(sweep.pause * 2, Self.longestPause)
            next.left -= 1
            let bound = NIOLoopBound((trees: self, next: next), eventLoop: eventLoop)
            eventLoop.scheduleTask(in: sweep.pause) {
                bound.value.trees.sweeps[instance] = bound.value.next
                bound.value.trees.work()
            }
        }
    }

    private func run<Result: Sendable>(_ work: @escaping @Sendable () -> Result, then: @escaping (Result) -> Void) {
        if !isStarted {
            isStarted = true
            pool.start()
        }
        let bound = NIOLoopBound(then, eventLoop: eventLoop)
        pool.runIfActive(eventLoop: eventLoop, work).whenSuccess { bound.value($0) }
    }

    private struct Sweep {
        var pause: TimeAmount
        /// Attempts.
        var left: Int
        var gone: () -> Void
    }

    private enum End {
        case unknown
        case gone(ProgramTreeRoot)
        case alive
    }

    private final class Trees: Sendable {
        let all = Mutex<[InstanceID: ProgramTree]>([:])
        private let reader = Mutex(ProcessTableReader())

        /// The tree is taken out meanwhile: looking takes long. Only one thread does that.
        func change<Result>(_ instance: InstanceID, _ body: (inout ProgramTree) -> Result) -> Result? {
            guard var tree = all.withLock({ $0[instance] }) else { return nil }
            let result = body(&tree)
            all.withLock { if $0[instance] != nil { $0[instance] = tree } }
            return result
        }

        /// - Parameter ended: those whose process has ended: once nothing is left they are forgotten.
        /// - Returns: what became of those.
        func kill(_ instances: [InstanceID], ended: Set<InstanceID>) -> [InstanceID: End] {
            let known = all.withLock { all in instances.filter { all[$0] != nil } }
            var taken = all.withLock { all in known.compactMap { all[$0] } }
            let areGone = ProgramTree.killAll(&taken)
            var ends: [InstanceID: End] = [:]
            for (instance, (tree, isGone)) in zip(known, zip(taken, areGone)) {
                let isOver = isGone && ended.contains(instance)
                if isOver { tree.dissolve() }
                all.withLock { $0[instance] = isOver ? nil : tree }
                if ended.contains(instance) { ends[instance] = isOver ? .gone(tree.root) : .alive }
            }
            return ends
        }

        func figures() -> [InstanceID: ProgramFigures] {
            let trees = all.withLock { $0 }
            guard !trees.isEmpty else { return [:] }
            let table = reader.withLock { $0.read(known: Set(trees.values.flatMap(\.known))) }
            var figures: [InstanceID: ProgramFigures] = [:]
            for instance in trees.keys {
                guard let own = change(instance, { $0.figures(in: table) }) else { continue }
                figures[instance] = ProgramFigures(
                    cpuSeconds: own.cpuTime.inSeconds, resident: own.residentBytes, count: own.count)
            }
            return figures
        }
    }
}
