internal import Model

/// Who has read something: a user with all of their connections, or an anonymous client.
enum RoomReader: Hashable {
    case user(UserName)
    case client(ClientID)
}

/// Up to which offset a room has been read, by reader. Marks only grow.
struct ReadMarks {
    private var marks: [RoomReader: UInt64] = [:]

    init() {}

    init(_ users: [UserName: UInt64]) {
        for (user, offset) in users { marks[.user(user)] = offset }
    }

    subscript(reader: RoomReader) -> UInt64 { marks[reader] ?? 0 }

    /// Whether a mark may be set: there is a bound on the number of readers.
    func takes(_ reader: RoomReader) -> Bool {
        marks.count < HubLimits.readersPerRoom || marks[reader] != nil
    }

    /// `false`: the reader was there before.
    mutating func advance(_ reader: RoomReader, to offset: UInt64) -> Bool {
        guard offset > self[reader], takes(reader) else { return false }
        marks[reader] = offset
        return true
    }

    mutating func forget(_ client: ClientID) {
        if !marks.isEmpty { marks[.client(client)] = nil }
    }
}
