import Model

// The keys of rooms. Bounds stand also with the fields of RoomsConfiguration and RoomRule.

private let kibibyte = 1 << 10
private let mebibyte = 1 << 20
private let year = Duration.seconds(365 * 24 * 60 * 60)

extension ConfigurationSchema {
    static let rooms = [
        SchemaKey(
            "rooms.announceMax", \.rooms.announceMax, .integer(0...1_000_000),
            "Joins and leaves are announced in rooms of up to this many members; 0 announces none."),
        SchemaKey(
            "rooms.maxPerClient", \.rooms.maxPerClient, .integer(1...100_000), "Rooms that one client may be in."),
        SchemaKey(
            "rooms.maxNameLength", \.rooms.maxNameLength, .integer(1...1024), "Longest room name, in bytes of UTF-8."),
        SchemaKey(
            "rooms.presenceGrace", \.rooms.presenceGrace, .duration(.zero ... .seconds(600)),
            "A wsd.v1.json client whose connection broke is told to the others as gone only after this time, so that one that "
                + "comes back soon is not missed."),
        SchemaKey(
            "rooms.typingTimeout", \.rooms.typingTimeout, .duration(.seconds(1) ... .seconds(600)),
            "A client that has begun to type and says nothing more has stopped after this time."),
        SchemaKey(
            "rooms.broadcast", \.rooms.broadcast,
            ValueFormat<Who>.choice.orWord("auto", meaning: "anyone, or nobody where auth.required is on"),
            "Who may broadcast to all clients. anyone: every client; users: those that have said who they are; granted: those "
                + "whose token or connect webhook says so; nobody: the backend alone."),
        SchemaKey(
            "rooms.direct", \.rooms.direct,
            ValueFormat<Who>.choice.orWord("auto", meaning: "users, or nobody where auth.required is on"),
            "Who may send to a user."),
        SchemaKey(
            "rooms.rules", entries: \.rooms.rules, of: RoomRule(),
            [
                SchemaField(
                    "match", \.match, .roomPattern, required: true,
                    "The rooms it is about: * stands for any text, {user} for the name of a client's user.")
            ] + RoomRuleField.all.map(\.entry),
            allowed: "a list of rules, each with match and what differs from rooms.defaults",
            example: """
                - match: "chat:*"
                  join: users
                  publishNeedsMembership: true
                  historySize: 1000
                  historyTTL: 24h
                  rate: 5/s burst 10
                - match: "news:*"
                  publish: nobody
                """,
            "Rules for rooms by name. The first whose match fits a room holds; what it leaves out is as in rooms.defaults."
        ),
    ]

    static let roomDefaults = SchemaKey.keys("rooms.defaults", \.rooms.defaults, RoomRuleField.all.map(\.base))
}

/// A field of a ``RoomRule``, as it stands in an entry of `rooms.rules` and in `rooms.defaults`.
private struct RoomRuleField {
    var entry: SchemaField<RoomRule>
    var base: SchemaField<RoomRule>

    static let all = [
        who("join", \.join, "Who may join."),
        who("publish", \.publish, "Who may publish."),
        who("presence", \.presence, "Who may see the members."),
        who("history", \.history, "Who may read messages of the past, also on coming back."),
        RoomRuleField(
            "publishNeedsMembership", \.publishNeedsMembership, .boolean, unset: false, "Only members may publish."),
        RoomRuleField(
            "historySize", \.historySize, .integer(0...1_000_000), unset: 0,
            "Messages that are kept for clients that come back and for history pages; 0 keeps none."),
        RoomRuleField(
            "historyTTL", \.historyTTL, .duration(.seconds(1)...year), unset: .seconds(3600),
            "How long a message is kept; up to 365 days."),
        RoomRuleField(
            "rate", \.rate, .rateOrOff, unset: .off,
            "Messages that one client may send to the room, beside limits.messageRate."),
        RoomRuleField(
            "autoRead", \.autoRead, .boolean, unset: false, "What is delivered counts as read by its receiver."),
        RoomRuleField(
            "webhooks", \.webhooks, .boolean, unset: true,
            "Joins and messages are put before webhooks.join and webhooks.publish."),
    ]

    /// - Parameter unset: What holds where nobody says anything.
    init<Value>(
        _ leaf: String, _ path: any WritableKeyPath<RoomRule, Value?> & Sendable, _ format: ValueFormat<Value>,
        unset: Value, _ documentation: String
    ) {
        entry = SchemaField(leaf, path, format.given, documentation)
        base = SchemaField(leaf, path, format.orUnset(unset), documentation)
    }

    private init(entry: SchemaField<RoomRule>, base: SchemaField<RoomRule>) {
        self.entry = entry
        self.base = base
    }

    private static func who(
        _ leaf: String, _ path: any WritableKeyPath<RoomRule, Who?> & Sendable, _ documentation: String
    ) -> RoomRuleField {
        let auto = ValueFormat<Who>.choice.orWord("auto", meaning: "anyone, or granted where auth.required is on")
        return RoomRuleField(
            entry: SchemaField(leaf, path, ValueFormat<Who>.choice.given, documentation),
            base: SchemaField(leaf, path, auto, documentation))
    }
}

extension ConfigurationSchema {
    static let history = [
        SchemaKey(
            "history.store", \.history.store, .choice, reload: false,
            "Where kept messages lie: memory (lost with the hub's process) or sqlite (a database in history.directory)."
        ),
        SchemaKey(
            "history.directory", \.history.directory,
            ValueFormat.path().orWord("auto", meaning: "the usual place"), reload: false,
            "Folder of the database. The usual place is $STATE_DIRECTORY as systemd sets it, else /var/lib/wsd for root and "
                + "$XDG_STATE_HOME/wsd or ~/.local/state/wsd for a user."),
        SchemaKey(
            "history.idempotencyWindow", \.history.idempotencyWindow, .duration(.seconds(1) ... .seconds(24 * 3600)),
            "A repeated messageId is recognised for this long, and its message not delivered again."),
        SchemaKey(
            "history.recoveryPage", \.history.recoveryPage, .size(16 * kibibyte...16 * mebibyte),
            "Missed messages that one join brings at once; the rest follows as the client reads."),
    ]
}
