import NIOCore

/// A handle, good on any thread, to a value that only its event loop may touch.
struct EventLoopConfined<Value>: Sendable {
    let eventLoop: any EventLoop
    private let bound: NIOLoopBound<Value>

    /// Call on the event loop.
    init(_ value: Value, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        bound = NIOLoopBound(value, eventLoop: eventLoop)
    }

    /// Runs `body` on the event loop and returns what it returns.
    func run<Result: Sendable>(_ body: @escaping @Sendable (Value) throws -> Result) async throws -> Result {
        let bound = bound
        return try await eventLoop.submit { try body(bound.value) }.get()
    }

    /// Runs `body` on the event loop and waits for the future it returns.
    func wait<Result: Sendable>(_ body: @escaping @Sendable (Value) throws -> EventLoopFuture<Result>) async throws
        -> Result
    {
        let bound = bound
        return try await eventLoop.flatSubmit {
            do {
                return try body(bound.value)
            } catch {
                return bound.eventLoop.makeFailedFuture(error)
            }
        }.get()
    }

    /// Runs `body` on the event loop, some time soon.
    func execute(_ body: @escaping @Sendable (Value) -> Void) {
        let bound = bound
        eventLoop.execute { body(bound.value) }
    }
}

/// Runs tasks on the event loop's thread, so that a process with little to do asynchronously needs no further threads.
final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
