package import Model

/// What this process tells systemd (sd_notify(3)). Without systemd every call does nothing.
package enum ServiceManager {
    /// Whether somebody listens to notifications. Fixed at the first look: the variable is removed for children only.
    package static let isPresent = Environment.current["NOTIFY_SOCKET"].map { !$0.isEmpty } ?? false

    /// Loaded for those who are watched or listened to, and for nobody else.
    private static let library: Result<SystemdLibrary, SystemdLibraryError>? =
        isPresent || Environment.current["WATCHDOG_USEC"] != nil ? SystemdLibrary.load() : nil

    /// Why a service manager that listens will hear nothing; `nil`: it will, or there is none.
    package static var obstacle: String? {
        guard case .failure(let error) = library else { return nil }
        return error.reason
    }

    /// How often systemd expects `WATCHDOG=1` (to be sent twice as often); `nil`: never.
    package static let watchdogInterval: Duration? = {
        var microseconds: UInt64 = 0
        guard case .success(let systemd) = library, systemd.watchdogEnabled(0, &microseconds) > 0 else { return nil }
        return .microseconds(Int64(clamping: microseconds))
    }()

    /// Sends assignments (`READY=1`, `STATUS=…`) as one message. Blocks while the manager's queue is full.
    ///
    /// - Returns: whether it was sent. There is nothing to be done where it was not.
    @discardableResult
    package static func notify(_ assignments: [String]) -> Bool {
        guard isPresent, case .success(let systemd) = library else { return false }
        return systemd.notify(0, message(assignments)) > 0
    }

    /// Has the manager hold a descriptor for the next process of the service, where the unit lets it
    /// (`FileDescriptorStoreMax=`). One that it holds already is not held twice.
    ///
    /// - Parameter name: printable ASCII without `:`, 255 bytes at most.
    /// - Returns: whether it was sent; whether it is held cannot be known.
    package static func store(_ descriptor: Int32, name: String) -> Bool {
        guard isPresent, case .success(let systemd) = library else { return false }
        // A listening socket has no end that could be polled for.
        let state = message(["FDSTORE=1", "FDNAME=\(name)", "FDPOLL=0"])
        return withUnsafePointer(to: descriptor) { systemd.notifyWithDescriptors(0, 0, state, $0, 1) > 0 }
    }

    /// Has the manager close what it holds under these names, and waits until it has, so that their addresses are free.
    package static func dropStored(_ names: Set<String>) {
        guard !names.isEmpty, isPresent, case .success(let systemd) = library else { return }
        for name in names.sorted() { notify(["FDSTOREREMOVE=1", "FDNAME=\(name)"]) }
        _ = systemd.barrier?(0, UInt64(barrierTimeout.nanoseconds / 1000))
    }

    /// How long the manager may take to read what it was told.
    private static let barrierTimeout = Duration.seconds(5)

    /// One assignment a line; a line break within a status text would begin another.
    private static func message(_ assignments: [String]) -> String {
        assignments.map { $0.replacing("\n", with: " ") }.joined(separator: "\n")
    }

    /// The assignment that must go with `RELOADING=1`.
    package static func monotonic(_ time: MonotonicTime) -> String {
        "MONOTONIC_USEC=\(time.nanoseconds / 1000)"
    }

    /// Asks for more time to start, reload or stop.
    package static func extendTimeout(by duration: Duration) -> String {
        "EXTEND_TIMEOUT_USEC=\(max(0, duration.nanoseconds / 1000))"
    }
}
