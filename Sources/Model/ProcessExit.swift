/// How a process ended (waitid(2)).
package enum ProcessExit: Codable, Sendable, Equatable {
    case exited(Int32)
    /// Ended by this signal.
    case signalled(Int32, coreDumped: Bool)
    /// Ended by a SIGKILL that the kernel sent for want of memory, as the events of its control group tell.
    case killedForMemory
}
