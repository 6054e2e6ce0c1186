import CLinux
import Glibc
import Synchronization

/// A thread that waits for descriptors to become readable (epoll(7)), level-triggered, and hands on those that are.
final class EpollThread: Sendable {
    /// The event's mark of the descriptor that ends the thread.
    private static let stopMark: UInt64 = 0
    /// Marks that are handed on at once.
    private static let capacity = 64
    /// Microseconds between two looks of a thread that is held.
    private static let pause: UInt32 = 1000

    private struct State {
        var isHeld = false
        var isHandling = false
        var isStopped = false
    }

    private let state = Mutex(State())
    private let epoll: Int32
    private let stopEvent: Int32

    init() throws(SystemError) {
        epoll = try SystemError.check("epoll_create1", nil, wsd_epoll_create())
        stopEvent = wsd_eventfd()
        guard stopEvent >= 0, wsd_epoll_add(epoll, stopEvent, Self.stopMark) == 0 else {
            let code = errno
            if stopEvent >= 0 { close(stopEvent) }
            close(epoll)
            throw SystemError(call: "eventfd", code: code)
        }
    }

    /// Once.
    ///
    /// - Parameters:
    ///   - name: at most 15 bytes.
    ///   - ready: marks of readable descriptors, on the thread.
    ///   - ended: once, on the thread, as its last.
    func start(
        named name: String, ready: @escaping @Sendable ([UInt64]) -> Void, ended: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        do {
            try Threads.start(named: name) { [self] in
                run(ready)
                ended()
                close(epoll)
                close(stopEvent)
            }
        } catch {
            close(stopEvent)
            close(epoll)
            throw error
        }
    }

    /// Closing the descriptor takes it out again.
    ///
    /// - Parameter mark: above 0.
    /// - Returns: 0, or an errno value.
    func watch(_ descriptor: Int32, mark: UInt64) -> Int32 {
        wsd_epoll_add(epoll, descriptor, mark) == 0 ? 0 : errno
    }

    /// Nothing more is handed on until ``release()``; what is being handled at this moment is finished (``isQuiet``).
    func hold() { state.withLock { $0.isHeld = true } }

    func release() { state.withLock { $0.isHeld = false } }

    /// It is held, and handles nothing any more.
    var isQuiet: Bool { state.withLock { $0.isHeld && !$0.isHandling } }

    var isStopped: Bool { state.withLock { $0.isStopped } }

    /// Ends the thread.
    func stop() {
        let isFirst = state.withLock { state in
            defer { state.isStopped = true }
            return !state.isStopped
        }
        guard isFirst else { return }
        var one: UInt64 = 1
        _ = write(stopEvent, &one, MemoryLayout<UInt64>.size)
    }

    private func run(_ ready: @Sendable ([UInt64]) -> Void) {
        var marks = [UInt64](repeating: 0, count: Self.capacity)
        while true {
            let count = Int(wsd_epoll_wait(epoll, &marks, Int32(marks.count)))
            guard count > 0, !marks[..<count].contains(Self.stopMark) else { return }
            let mayHandle = state.withLock { state in
                state.isHandling = !state.isHeld
                return state.isHandling
            }
            if mayHandle {
                ready(Array(marks[..<count]))
                state.withLock { $0.isHandling = false }
            } else {
                usleep(Self.pause)
            }
        }
    }
}
