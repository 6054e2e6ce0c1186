import NIOCore

/// Every bound of the control client.
package struct ControlLimits: Sendable {
    /// From the connection to the head of the answer, for calls that look.
    package var answerTimeout = TimeAmount.seconds(10)
    /// The same for calls that change something: an operation may read files before its first word.
    package var operationTimeout = TimeAmount.seconds(60)
    /// How long a connection is tried for while too many others wait to be taken.
    package var fullBacklogSeconds = 5
    /// Bytes of an answer that is read whole (not of a stream).
    package var wholeAnswer = 64 * 1024 * 1024
    /// Bytes of one line of a stream; a log line is at most 16 KiB before it is written as JSON.
    package var line = 1024 * 1024

    package init() {}

    /// For one who looks every second and says at once that nothing comes.
    package static var watching: Self {
        var limits = Self()
        limits.answerTimeout = .seconds(3)
        return limits
    }
}
