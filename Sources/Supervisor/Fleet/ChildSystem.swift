import Model
import Wire

/// Starts and ends processes for the driver, and answers what only the operating system knows. The real one is
/// ``LinuxChildSystem``; a test's plays the children itself.
///
/// Confined to the event loop.
protocol ChildSystem: AnyObject {
    /// Starts a child that finds `configuration` as the first line of its link. Throws a sentence
    /// (``ChildSystemError``) when that fails; nothing is left behind then.
    ///
    /// - Parameter exited: called once, later, on the event loop.
    func spawn(_ configuration: ChildConfiguration, exited: @escaping (ProcessExit) -> Void) throws -> LaunchedChild

    /// Watches a child that the program before this one started in this process.
    func adopt(_ instance: InstanceID, pid: Int32, exited: @escaping (ProcessExit) -> Void) throws

    /// SIGKILL. Nothing when the process has ended.
    func kill(_ instance: InstanceID)

    /// The process's cell of the fleet board counts no longer.
    func clearBoard(of slot: SlotID, instance: InstanceID)

    /// CPU time used and memory held by a process; `nil`: it is gone.
    func usage(of pid: Int32) -> ProcessUsage?

    /// The memory of the control group that the service is in; `nil`: there is none.
    func memory() -> MemoryReading?

    /// A descriptor, the caller's, that becomes readable when the group tells of an event; `nil`: it has to be looked at.
    func memoryEvents() -> CInt?

    /// Closes the supervisor's own copies of the listening sockets.
    func closeListeners()

    /// Tells the service manager (sd_notify(3)).
    func notify(_ assignments: [String])
}

/// A started child. The descriptors belong to whoever receives this.
struct LaunchedChild {
    var pid: Int32
    /// The supervisor's end of the child link.
    var link: CInt
    /// The reading end of the pipe behind the child's standard output and error.
    var log: CInt
}

struct ProcessUsage: Sendable, Equatable {
    /// User and system time since the process began, seconds.
    var cpuSeconds: Double
    /// Bytes.
    var resident: Int
}

struct ChildSystemError: Error, CustomStringConvertible {
    var description: String
}
