import CLinux

/// Threads for waiting in system calls.
enum Threads {
    /// Starts a detached thread, with every signal blocked, that runs `body` and ends.
    ///
    /// - Parameter name: at most 15 bytes (pthread_setname_np(3)).
    static func start(named name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let work = Unmanaged.passRetained(Work(body))
        let error = wsd_start_thread(
            name,
            { argument in
                guard let argument else { return }
                Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
            },
            work.toOpaque()
        )
        guard error == 0 else {
            work.release()
            throw SystemError(call: "pthread_create", code: error)
        }
    }

    private final class Work: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }
}
