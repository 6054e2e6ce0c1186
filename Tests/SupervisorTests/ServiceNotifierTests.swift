import Dispatch
import Glibc
import LinuxSystem
import Synchronization
import Testing

@testable import Supervisor

struct ServiceNotifierTests {
    /// A manager that does not read holds up its own thread and costs messages, nothing else.
    @Test func aManagerThatDoesNotReadHoldsUpNobody() {
        let gate = DispatchSemaphore(value: 0)
        let sent = Sent()
        let notifier = ServiceNotifier { assignments in
            gate.wait()
            sent.messages.withLock { $0 += assignments }
        }
        for number in 0..<(ServiceNotifier.maxWaiting + 50) { notifier.notify(["STATUS=\(number)"]) }
        #expect(!notifier.isIdle)
        for _ in 0..<ServiceNotifier.maxWaiting { gate.signal() }
        while !notifier.isIdle { sched_yield() }
        #expect(sent.messages.withLock { $0 } == (0..<ServiceNotifier.maxWaiting).map { "STATUS=\($0)" })
    }

    /// What is to be held is passed on as a copy, which is closed then.
    @Test func aDescriptorMayBeClosedAtOnce() throws {
        let gate = DispatchSemaphore(value: 0)
        let pipe = try Descriptors.pipe()
        defer { close(pipe.read) }
        let notifier = ServiceNotifier(
            send: { _ in },
            store: { copy, name in
                gate.wait()
                _ = write(copy, name, name.utf8.count)
            })
        notifier.hold(pipe.write, name: "api")
        close(pipe.write)
        gate.signal()
        while !notifier.isIdle { sched_yield() }
        var bytes = [UInt8](repeating: 0, count: 8)
        #expect(read(pipe.read, &bytes, 8) == 3)
        #expect(read(pipe.read, &bytes, 8) == 0)
    }

    private final class Sent: Sendable {
        let messages = Mutex<[String]>([])
    }
}
