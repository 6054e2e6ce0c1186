import Dispatch
import Glibc
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

    private final class Sent: Sendable {
        let messages = Mutex<[String]>([])
    }
}
