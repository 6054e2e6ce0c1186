package import Model

/// How a process ended and what it had come to, for whoever wants to act on it.
package struct ProcessEndFigures: Codable, Sendable, Equatable {
    /// `nil`: it could not be started.
    package var exit: ProcessExit?
    /// It was told to go.
    package var isExpected: Bool
    package var uptime: Duration
    /// Of its place, before this end.
    package var restarts: Int
    /// Resident bytes, as last told.
    package var memory: Int?
}
