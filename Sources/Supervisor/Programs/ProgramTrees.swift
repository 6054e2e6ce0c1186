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
    /// A tree is gone, and its group removed.
    var dissolved: (ProgramTreeRoot) -> Void = { _ in }

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    deinit {
        pool.shutdownGracefully { _ in }
    }

    func add(_ root: ProgramTreeRoot, of instance: InstanceID) {
        if !isStarted {
            isStarted = true
            pool.start()
        }
        trees.all.withLock { $0[instance] = ProgramTree(root: root) }
    }

    func measure(_ took: @escaping ([InstanceID: ProgramFigures]) -> Void) {
        let trees = trees
        run({ trees.figures() }, then: took)
    }

    /// SIGKILL to all of it.
    func kill(_ instance: InstanceID) {
        let trees = trees
        run({ trees.change(instance) { $0.killAll() } }, then: { _ in })
    }

    /// The same until nothing is left.
    func sweep(_ instance: InstanceID, gone: @escaping () -> Void) {
        attempt(instance, pause: Self.firstPause, left: Self.maxAttempts, gone)
    }

    private func attempt(_ instance: InstanceID, pause: TimeAmount, left: Int, _ gone: @escaping () -> Void) {
        let trees = trees
        let bound = NIOLoopBound((trees: self, gone: gone), eventLoop: eventLoop)
        run({ trees.end(instance) }) { result in
            let (trees, gone) = bound.value
            switch result {
            case .unknown: gone()
            case .gone(let root):
                trees.dissolved(root)
                gone()
            case .alive:
                guard left > 1 else { return }
                let next = min(pause * 2, Self.longestPause)
                bound.eventLoop.scheduleTask(in: pause) {
                    bound.value.trees.attempt(instance, pause: next, left: left - 1, bound.value.gone)
                }
            }
        }
    }

    private func run<Result: Sendable>(_ work: @escaping @Sendable () -> Result, then: @escaping (Result) -> Void) {
        let bound = NIOLoopBound(then, eventLoop: eventLoop)
        pool.runIfActive(eventLoop: eventLoop, work).whenSuccess { bound.value($0) }
    }

    private enum End {
        case unknown
        case gone(ProgramTreeRoot)
        case alive
    }

    private final class Trees: Sendable {
        let all = Mutex<[InstanceID: ProgramTree]>([:])

        /// The tree is taken out meanwhile: looking takes long. Only one thread does that.
        func change<Result>(_ instance: InstanceID, _ body: (inout ProgramTree) -> Result) -> Result? {
            guard var tree = all.withLock({ $0[instance] }) else { return nil }
            let result = body(&tree)
            all.withLock { if $0[instance] != nil { $0[instance] = tree } }
            return result
        }

        func end(_ instance: InstanceID) -> End {
            let end = change(instance) { tree -> End in
                tree.killAll()
                guard tree.isGone() else { return .alive }
                tree.dissolve()
                return .gone(tree.root)
            }
            if case .gone = end { all.withLock { $0[instance] = nil } }
            return end ?? .unknown
        }

        func figures() -> [InstanceID: ProgramFigures] {
            let instances = all.withLock { Array($0.keys) }
            guard !instances.isEmpty else { return [:] }
            let table = ProcessTable.read()
            var figures: [InstanceID: ProgramFigures] = [:]
            for instance in instances {
                guard let own = change(instance, { $0.figures(in: table) }) else { continue }
                figures[instance] = ProgramFigures(
                    cpuSeconds: own.cpuTime.inSeconds, resident: own.residentBytes, count: own.count)
            }
            return figures
        }
    }
}
