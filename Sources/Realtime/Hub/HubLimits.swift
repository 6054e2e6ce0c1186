internal import Model

/// Bounds of the hub that nobody configures.
package enum HubLimits {
    /// How often expired messages, idle rooms and full buckets are looked for.
    package static let sweepInterval = Duration.seconds(10)
    /// Rooms looked at in one call of ``HubStateMachine/timeElapsed(now:wallTime:output:)``; the rest follow in the next.
    package static let sweepSlice = 4096
    /// A room's history nobody has used for this long leaves the memory, where a storage has it.
    package static let idleTime = Duration.seconds(60)
    /// Expired rooms dropped from the storage in one sweep.
    package static let expiredRooms = 1000
    /// Message ids recognised in one room; above, the oldest is forgotten before its time.
    package static let identifiersPerRoom = 100_000
    /// How long the storage knows which operation a publication came of. Workers hold operations for less.
    package static let originWindow = Duration.seconds(300)
    /// Bytes of names and infos in one answer about presence; `members` tells how many there are.
    package static let presenceBytes = 256 * 1024
    /// Clients that may be missed without their leave being told; above, the one that is gone longest is told at once.
    package static let departures = 100_000
    /// Clients that type at the same time; above, typing is not told.
    package static let typing = 100_000
    /// Readers remembered in one room; above, a new reader is refused.
    package static let readersPerRoom = 100_000
    /// Users (addresses) whose rate is watched at the same time; above, new ones are not limited.
    package static let buckets = 500_000
    /// Boots whose link ended that are remembered, in case they come back.
    package static let departedBoots = 4096
    /// Most rooms in one answer.
    package static let roomsInAnswer = 10_000

    /// Bytes of what one call of the backend, or a batch of them, asks for; when they are used up, further questions of the
    /// batch are refused. The first is always answered.
    static let answerBytes = 1024 * 1024
    /// What looking at a room counts as where an answer is about all of them, bytes.
    static let roomCost = 8

    /// Beside the data, what a message adds to a page of history or to what is kept: head, names, position.
    static let entryOverhead = 96
}

/// Epochs (SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). The seed is random
/// for each hub, so that no two hubs use the same.
struct EpochSource {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> RoomEpoch {
        while true {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            mixed ^= mixed >> 31
            if mixed > 0 { return RoomEpoch(rawValue: mixed) }
        }
    }
}

/// What the hub takes of the configuration.
struct HubSettings {
    let announceMax: Int
    let presenceGrace: Duration
    let typingTimeout: Duration
    /// Milliseconds.
    let idempotencyWindow: Int64
    let recoveryPage: Int
    let limits: LimitsConfiguration
    /// Bytes of missed messages for one worker that registers; beyond, its members are told of the gap.
    let catchUpBytes: Int
    let tellsRoomEmpty: Bool
    let rules: RoomRules
    /// Whether any room does.
    let keepsHistory: Bool

    init(_ configuration: WsdConfiguration) {
        announceMax = configuration.rooms.announceMax
        presenceGrace = configuration.rooms.presenceGrace
        typingTimeout = configuration.rooms.typingTimeout
        idempotencyWindow = configuration.history.idempotencyWindow.milliseconds
        recoveryPage = configuration.history.recoveryPage
        limits = configuration.limits
        catchUpBytes = configuration.hub.linkQueue / 2
        tellsRoomEmpty = configuration.webhooks.roomEmpty.url != nil
        rules = RoomRules(configuration)
        keepsHistory = rules.anyKeepsHistory
    }

    /// Until when a room's history and message ids are of use if nothing more comes; milliseconds since 1970.
    func until(_ rule: ResolvedRoomRule, from time: Int64) -> Int64 {
        time + max(rule.historyTTL.milliseconds, idempotencyWindow)
    }
}
