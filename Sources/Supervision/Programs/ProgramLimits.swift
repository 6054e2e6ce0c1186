/// Limits of programs that are not configured.
package enum ProgramLimits {
    /// Programs that are known at the same time.
    package static let programs = 1000
    /// An operation waits this long for a process that counts as ready because it runs: a command line that is wrong shows by then.
    package static let proof = Duration.milliseconds(500)
    /// A process that was started after an unstable end is on probation for as long, ready or not: a program that crashes as soon
    /// as it runs would look well in between.
    package static let probation = Duration.seconds(1)
    /// From one start in a place to the next that follows from its end, at least: also where any end counts as stable.
    package static let startInterval = Duration.milliseconds(100)
    /// From one question whether a process is ready to the next.
    package static let readyProbeInterval = Duration.milliseconds(200)
    /// Longest wait for one answer to it.
    package static let readyProbeTimeout = Duration.seconds(5)
    /// Beyond its timeout, before a probe whose outcome is not told counts as one that failed.
    package static let probeGrace = Duration.seconds(2)
    /// How long a process may outlive SIGKILL, and what it left behind its end, before its place counts as free.
    package static let killPatience = Duration.seconds(10)
    /// Readings above `maxMemory` in a row after which a process is replaced.
    package static let memoryReadings = 2
    /// Bytes kept of a line of output and of a status text.
    package static let lineBytes = 500
    /// Lines for which one that names an error is preferred to later ones: a stack trace follows it.
    package static let errorLineReach = 40
    /// After so many unstable ends in a row nobody waits for a process with the start of the service.
    package static let patientAttempts = 3
    /// Nor for one whose next start is further away than this.
    package static let patientDelay = Duration.seconds(5)
    /// Rounds over all programs after one input.
    package static let settleRounds = 4 * programs
}
