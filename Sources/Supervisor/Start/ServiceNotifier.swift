import Glibc
import LinuxSystem
import NIOPosix
import Synchronization

/// Passes notifications to the service manager, in order, without ever holding up the event loop: sd_notify(3) blocks while
/// the manager does not read. Confined to the event loop, except for the count.
final class ServiceNotifier {
    /// Messages that wait to be sent; further ones are dropped. The manager has long stopped reading then.
    static let maxWaiting = 256

    private let send: @Sendable ([String]) -> Void
    private let store: @Sendable (CInt, String) -> Void
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let waiting = Waiting()
    private var isStarted = false

    /// - Parameters:
    ///   - send: called on a thread of its own, and may block.
    ///   - store: the same.
    init(
        send: @escaping @Sendable ([String]) -> Void = { ServiceManager.notify($0) },
        store: @escaping @Sendable (CInt, String) -> Void = { _ = ServiceManager.store($0, name: $1) }
    ) {
        self.send = send
        self.store = store
    }

    deinit {
        pool.shutdownGracefully { _ in }
    }

    func notify(_ assignments: [String]) {
        submit { [send] in send(assignments) }
    }

    /// Has the manager hold a descriptor for the next process of the service. The caller may close it at once.
    func hold(_ descriptor: CInt, name: String) {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { return }
        let isTaken = submit { [store] in
            store(copy, name)
            Descriptors.close(copy)
        }
        if !isTaken { Descriptors.close(copy) }
    }

    @discardableResult
    private func submit(_ work: @escaping @Sendable () -> Void) -> Bool {
        guard waiting.count.load(ordering: .relaxed) < Self.maxWaiting else { return false }
        waiting.count.add(1, ordering: .relaxed)
        if !isStarted {
            isStarted = true
            pool.start()
        }
        pool.submit { [waiting] _ in
            work()
            waiting.count.subtract(1, ordering: .releasing)
        }
        return true
    }

    /// Whether everything taken so far has been sent.
    var isIdle: Bool { waiting.count.load(ordering: .acquiring) == 0 }

    private final class Waiting: Sendable {
        let count = Atomic(0)
    }
}
