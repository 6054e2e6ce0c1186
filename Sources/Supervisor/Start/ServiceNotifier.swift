import LinuxSystem
import NIOPosix
import Synchronization

/// Passes notifications to the service manager, in order, without ever holding up the event loop: sd_notify(3) blocks while
/// the manager does not read. Confined to the event loop, except for the count.
final class ServiceNotifier {
    /// Messages that wait to be sent; further ones are dropped. The manager has long stopped reading then.
    static let maxWaiting = 256

    private let send: @Sendable ([String]) -> Void
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let waiting = Waiting()
    private var isStarted = false

    /// - Parameter send: called on a thread of its own, and may block.
    init(send: @escaping @Sendable ([String]) -> Void = { ServiceManager.notify($0) }) {
        self.send = send
    }

    deinit {
        pool.shutdownGracefully { _ in }
    }

    func notify(_ assignments: [String]) {
        guard waiting.count.load(ordering: .relaxed) < Self.maxWaiting else { return }
        waiting.count.add(1, ordering: .relaxed)
        if !isStarted {
            isStarted = true
            pool.start()
        }
        pool.submit { [send, waiting] _ in
            send(assignments)
            waiting.count.subtract(1, ordering: .releasing)
        }
    }

    /// Whether everything taken so far has been sent.
    var isIdle: Bool { waiting.count.load(ordering: .acquiring) == 0 }

    private final class Waiting: Sendable {
        let count = Atomic(0)
    }
}
