internal import DequeModule
package import Model

/// The hub's decisions: who is connected and in which room, in which order things happen, what is kept, and which links
/// have to be told.
///
/// A room's order is the order in which this machine is given operations. What it decides goes to a ``HubOutput``, in
/// order; the driver encodes each delivery once and appends the same bytes to every link.
///
/// *A turn.* The driver collects operations. Then it calls ``stage(_:payload:from:now:wallTime:)`` for each one, in order,
/// where ``needsStaging(_:)`` says so, commits ``stagedWrites`` if there are any, says ``stagingCommitted()`` or
/// ``stagingFailed()``, and gives each operation to ``received(_:from:now:wallTime:output:)`` in the same order. Staging
/// gives out offsets but changes nothing that is in force; a publication that could not be recorded is refused and never
/// delivered. Before ``registrationEnded(_:replayThrough:now:wallTime:output:)``,
/// ``linkEnded(_:now:output:)``, ``configure(_:)`` and ``timeElapsed(now:wallTime:output:)`` all that was collected has to
/// be carried out.
///
/// A new hub first *gathers*: it takes registrations, but no operation, until the workers are there
/// (``isServing(now:)``), because what one worker replays must find the members of all others. The driver stops
/// reading a link at its first operation meanwhile. A worker that comes later is told that it is late.
package struct HubStateMachine {
    /// A small number for a link while it lasts; used again afterwards.
    package typealias LinkIndex = Int

    struct Link {
        var boot: BootID
        var slot: Int
        var isOpen = true
        var isRegistered = false
        /// Its snapshot became whole after operations had been taken.
        var isLate = false
        /// This hub has already told the others that the clients of this boot left.
        var isReturning: Bool
        var replayThrough: UInt64 = 0
        var lastSequence: UInt64
        /// The highest that came on this link, repeated ones included.
        var receivedSequence: UInt64 = 0
        var refusals = Refusals()
        /// How far its members have been delivered rooms with history; until the snapshot is whole.
        var positions: [(room: RoomName, position: RoomPosition)] = []
        /// Memberships that replayed joins made: the snapshot does not know of them.
        var replayedJoins: [RoomName: Set<UInt64>] = [:]
    }

    /// What ``received(_:from:now:wallTime:output:)`` made of an operation.
    package enum Outcome: Hashable, Sendable {
        case done
        /// Its sequence is not above the last one: this hub carried it out before the link broke. What is needed of it
        /// again (a reply) has been given.
        case duplicate
        /// An operation before the snapshot was whole, or on a link that is not known: the link has to be ended.
        case outOfOrder
    }

    /// What a call is about, besides its subject.
    struct Context {
        var now: MonotonicTime
        /// Milliseconds since 1970.
        var wallTime: Int64
        var output: any HubOutput
    }

    package let boot: BootID
    /// Until when a new hub waits for workers.
    package let gatherDeadline: MonotonicTime
    /// Workers that are to register before a new hub begins to serve; those that lived when it was started.
    private let expectedLinks: Int
    let storage: (any HistoryStorage)?

    var settings: HubSettings
    var isGathering = true
    var links: [Link] = []
    var linkOfBoot: [BootID: LinkIndex] = [:]
    /// How far the operations of boots whose link ended came, and what was refused of them.
    var departedBoots: [BootID: (lastSequence: UInt64, refusals: Refusals)] = [:]
    var departedOrder: Deque<BootID> = []

    var rooms: HubRooms
    var registry = ClientRegistry()
    var grace = PresenceGrace()
    var typing = TypingClock()
    var rates = RateLimits()
    var epochs: EpochSource
    var staging = Staging()
    var sweep: Sweep
    var counts = HubFigures()
    var ownSequence: UInt64 = 0
    /// Reused for the targets of every delivery.
    var targets: [LinkIndex] = []

    /// `expectedLinks`: workers that should register before a new hub begins to serve. `storage` `nil`: history is kept in
    /// memory alone. `seed`: random, for the epochs.
    package init(
        boot: BootID, configuration: WsdConfiguration, expectedLinks: Int, storage: (any HistoryStorage)?, seed: UInt64,
        now: MonotonicTime
    ) {
        self.boot = boot
        self.expectedLinks = expectedLinks
        self.storage = storage
        gatherDeadline = now + HubLinkTiming.gatherMaximum
        settings = HubSettings(configuration)
        rooms = HubRooms(rule: settings.rules.defaults)
        epochs = EpochSource(seed: seed)
        sweep = Sweep(now: now)
    }

    /// After a reload. A room that keeps no history any more forgets what it had in memory.
    package mutating func configure(_ configuration: WsdConfiguration) {
        settings = HubSettings(configuration)
        for index in rooms.list.indices where rooms.list[index].isInUse {
            let rule = settings.rules.rule(for: rooms.list[index].name)
            rooms.list[index].rule = rule
            if rule.keepsHistory {
                rooms.list[index].history?.trim(size: rule.historySize)
            } else {
                rooms.list[index].history = nil
                rooms.release(index)
            }
        }
    }

    /// Whether operations are taken. Ask again when a link has registered and when ``gatherDeadline`` is reached;
    /// once it is true it stays so.
    package mutating func isServing(now: MonotonicTime) -> Bool {
        guard isGathering else { return true }
        let registered = links.count { $0.isOpen && $0.isRegistered }
        isGathering = registered < expectedLinks && now < gatherDeadline
        if !isGathering { sweep.began(now: now) }
        return !isGathering
    }
}

// MARK: - Figures

extension HubStateMachine {
    /// Links that said hello.
    package var linkCount: Int { linkOfBoot.count }

    /// Rooms with members.
    package var roomCount: Int { rooms.count }

    /// Memberships, over all rooms and links.
    package var membershipCount: Int { rooms.membershipCount }

    /// Each room that has members, with their number.
    package func forEachRoom(_ body: (RoomName, Int) -> Void) {
        rooms.forEach(body)
    }

    /// Each room that has members or whose history is in memory.
    package func forEachSummary(_ body: (RoomSummary) -> Void) {
        for index in rooms.list.indices where rooms.list[index].isInUse { body(summary(of: index)) }
    }

    /// How many members a room has.
    package func memberCount(of room: RoomName) -> Int {
        rooms.index(of: room).map { rooms.list[$0].memberCount } ?? 0
    }

    /// Walks over all rooms.
    package var figures: HubFigures {
        var figures = counts
        figures.rooms = rooms.count
        figures.memberships = rooms.membershipCount
        figures.clients = registry.count
        figures.users = registry.userCount
        figures.departed = grace.count
        for index in rooms.list.indices {
            guard let entries = rooms.list[index].history?.entries.count else { continue }
            figures.historyRooms += 1
            figures.historyMessages += entries
            figures.historyBytes += rooms.list[index].history?.bytes ?? 0
        }
        return figures
    }

    func summary(of index: Int) -> RoomSummary {
        let room = rooms.list[index]
        return RoomSummary(
            name: room.name, members: room.memberCount, position: room.history?.position,
            messages: room.history?.entries.count ?? 0, bytes: room.history?.bytes ?? 0)
    }
}
