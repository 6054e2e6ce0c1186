import Glibc

/// The calls of libsystemd that are used, found when the program runs.
///
/// Linked, the library and those it needs would be mapped into every process of the service, and machines without it could
/// not run any. It is never unloaded.
struct SystemdLibrary: Sendable {
    static let fileName = "libsystemd.so.0"

    typealias Notify = @convention(c) (_ unsetEnvironment: Int32, _ state: UnsafePointer<CChar>) -> Int32
    typealias WatchdogEnabled =
        @convention(c) (_ unsetEnvironment: Int32, _ microseconds: UnsafeMutablePointer<UInt64>) -> Int32

    typealias NotifyWithDescriptors =
        @convention(c) (
            _ pid: pid_t, _ unsetEnvironment: Int32, _ state: UnsafePointer<CChar>,
            _ descriptors: UnsafePointer<Int32>, _ count: UInt32
        ) -> Int32
    typealias Barrier = @convention(c) (_ unsetEnvironment: Int32, _ microseconds: UInt64) -> Int32

    /// sd_notify(3).
    let notify: Notify
    /// sd_pid_notify_with_fds(3).
    let notifyWithDescriptors: NotifyWithDescriptors
    /// sd_notify_barrier(3), of version 246; `nil`: the library is older.
    let barrier: Barrier?
    /// sd_watchdog_enabled(3).
    let watchdogEnabled: WatchdogEnabled

    /// - Returns: why it cannot be used, in the loader's words (dlerror(3)), where it cannot.
    static func load(_ fileName: String = fileName) -> Result<Self, SystemdLibraryError> {
        guard let library = dlopen(fileName, RTLD_NOW | RTLD_LOCAL) else { return .failure(.last) }
        guard let notify = dlsym(library, "sd_notify"), let watchdog = dlsym(library, "sd_watchdog_enabled"),
            let withDescriptors = dlsym(library, "sd_pid_notify_with_fds")
        else { return .failure(.last) }
        return .success(
            Self(
                notify: unsafeBitCast(notify, to: Notify.self),
                notifyWithDescriptors: unsafeBitCast(withDescriptors, to: NotifyWithDescriptors.self),
                barrier: dlsym(library, "sd_notify_barrier").map { unsafeBitCast($0, to: Barrier.self) },
                watchdogEnabled: unsafeBitCast(watchdog, to: WatchdogEnabled.self)))
    }
}

struct SystemdLibraryError: Error, Equatable {
    var reason: String

    fileprivate static var last: Self { Self(reason: dlerror().map { String(cString: $0) } ?? "it cannot be loaded") }
}
