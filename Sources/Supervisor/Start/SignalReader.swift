import Glibc
import LinuxSystem
import NIOCore
import NIOPosix

/// Waits for signals on a thread of its own and hands them to the event loop.
final class SignalReader {
    private let pool = NIOThreadPool(numberOfThreads: 1)

    /// - Parameter signals: blocked already.
    init(
        _ signals: [Int32], eventLoop: any EventLoop, received: @escaping @Sendable (ReceivedSignal) -> Void
    ) throws(SystemError) {
        let descriptor = try SignalDescriptor(signals)
        pool.start()
        pool.submit { _ in
            // Ends with the process.
            while true {
                var poller = pollfd(fd: descriptor.descriptor, events: Int16(POLLIN), revents: 0)
                poll(&poller, 1, -1)
                guard let pending = try? descriptor.read() else { return }
                for signal in pending { eventLoop.execute { received(signal) } }
            }
        }
    }
}
