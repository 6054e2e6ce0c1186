/// What the hub's statistics show. The first group is how it is now, the others count since the hub's start.
package struct HubFigures: Hashable, Sendable {
    /// Rooms with members.
    package var rooms = 0
    package var memberships = 0
    /// Rooms whose history is in memory, their messages, and the bytes of these.
    package var historyRooms = 0
    package var historyMessages = 0
    package var historyBytes = 0
    package var clients = 0
    /// Users with at least one connection.
    package var users = 0
    /// Clients whose leave is held back, because they may return.
    package var departed = 0

    package var publications = 0
    package var recorded = 0
    package var repetitions = 0
    /// Publications refused because they could not be recorded.
    package var storageFailures = 0
    package var rateLimited = 0
    package var resumesRecovered = 0
    package var resumesFailed = 0
    /// Clients that came back within the grace time.
    package var returned = 0
    /// Messages that were delivered again to links that missed them.
    package var caughtUp = 0
    /// Rooms whose members had to be told that messages are lost, for each link.
    package var gaps = 0

    package var refusedPerUser = 0
    package var refusedPerAddress = 0
    package var refusedPerOrigin = 0
    package var refusedTotal = 0
    package var refusedByRate = 0
    /// Connections closed for a newer one of the same user.
    package var replaced = 0

    package init() {}
}
