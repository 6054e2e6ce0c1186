import Glibc
import LinuxSystem
import NIOCore
import NIOPosix
import Synchronization

/// Waits for signals on a thread of its own and hands them to the event loop.
final class SignalReader {
    /// Microseconds between two looks while it is held.
    private static let pause: UInt32 = 1000

    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let gate = Gate()

    /// - Parameter signals: blocked already.
    init(
        _ signals: [Int32], eventLoop: any EventLoop, received: @escaping @Sendable (ReceivedSignal) -> Void
    ) throws(SystemError) {
        let descriptor = try SignalDescriptor(signals)
        pool.start()
        pool.submit { [gate] _ in
            // Ends with the process.
            while true {
                var poller = pollfd(fd: descriptor.descriptor, events: Int16(POLLIN), revents: 0)
                poll(&poller, 1, -1)
                let isOver = gate.isHeld.withLock { isHeld in
                    guard !isHeld else { return false }
                    guard let pending = try? descriptor.read() else { return true }
                    for signal in pending { eventLoop.execute { received(signal) } }
                    return false
                }
                if isOver { return }
                if gate.isHeld.withLock({ $0 }) { usleep(Self.pause) }
            }
        }
    }

    /// Signals stay pending until it is `false` again. Those that were read before are on their way to the event loop.
    func hold(_ isHeld: Bool) { gate.isHeld.withLock { $0 = isHeld } }

    private final class Gate: Sendable {
        let isHeld = Mutex(false)
    }
}
