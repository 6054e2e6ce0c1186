import Logging
import Model
import NIOCore
import Realtime
import Wire

/// The I/O around the hub's machine: reads links, records what has to be, encodes deliveries once, writes every link once
/// per turn of the event loop, acknowledges. Confined to one event loop.
///
/// A turn: all readable links are read and their operations collected. At the end, in ``endTurn()``, what they publish to
/// rooms with history is committed to the storage, all in one; then they are carried out in the order in which they came,
/// and deliveries pile up in the links' outputs; each origin gets its acknowledgement behind the deliveries and each link
/// is flushed. *Settled* follows the channel's write completions and travels with the next acknowledgement, at the latest
/// after ``settleDelay``.
final class HubServer {
    /// How long a settled sequence may wait for an acknowledgement to travel with.
    static let settleDelay = TimeAmount.milliseconds(10)
    /// Connections that may exist at once: every slot, its draining predecessor, and room to spare.
    static let maxLinks = 4096
    /// Operations, and bytes of their payloads, that are collected; more are carried out before the turn's end.
    static let maxTurnOperations = 8192
    static let maxTurnBytes = 8 * 1024 * 1024
    /// Calls of the control socket that may wait for the hub to serve.
    static let maxWaitingCalls = 1000

    let loop: any EventLoop
    let logger: Logger
    let boot: BootID
    let maxPayload: Int
    /// Of one message, bytes.
    let maxData: Int
    let linkQueue: Int
    let backpressure: LinkBackpressure
    let storage: (any HistoryStorage)?
    /// Milliseconds since 1970.
    let wallClock: () -> Int64

    var machine: HubStateMachine
    var tracker = SettlementTracker()
    /// By the machine's numbers.
    var links: [HubLink?] = []
    var connected: [ObjectIdentifier: HubLink] = [:]
    var dirty: [HubLink] = []
    var overfull: [HubLink] = []
    var encoded = ByteBuffer()
    /// What was collected in this turn, and the bytes of it.
    var pending: [PendingOperation] = []
    var pendingBytes = 0
    /// Targets of the operation that is being carried out, and its payload.
    var targets: [Int] = []
    var payload = ByteBuffer()
    var isCarryingOut = false
    var isTurnScheduled = false
    var isSettleScheduled = false
    var isCheckScheduled = false
    var isGatherCheckScheduled = false
    var waitingForServing: [HubLink] = []
    var waitingCalls: [PendingOperation] = []
    var timer: (at: MonotonicTime, task: Scheduled<Void>)?
    /// The storage refused the last commit.
    var isStorageFailing = false
    /// Nothing more is taken.
    var isStopped = false

    var deliveries = 0
    var linksCut = 0
    var protocolErrors = 0
    var bytesIn = 0
    var bytesOut = 0
    /// Called when the last link has gone.
    var whenEmpty: (() -> Void)?

    /// - Parameters:
    ///   - expectedLinks: workers that should register before a new hub begins to serve.
    ///   - storage: `nil`: histories are in memory alone.
    ///   - seed: random, for the epochs of rooms.
    init(
        loop: any EventLoop, logger: Logger, boot: BootID, configuration: WsdConfiguration, expectedLinks: Int,
        storage: (any HistoryStorage)? = nil, seed: UInt64, wallClock: @escaping () -> Int64
    ) {
        self.loop = loop
        self.logger = logger
        self.boot = boot
        self.storage = storage
        self.wallClock = wallClock
        maxPayload = HubLinkDecoder.maxPayload(configuration)
        maxData = configuration.maxMessageData
        linkQueue = configuration.hub.linkQueue
        backpressure = LinkBackpressure(linkQueue: linkQueue)
        machine = HubStateMachine(
            boot: boot, configuration: configuration, expectedLinks: expectedLinks, storage: storage, seed: seed,
            now: Self.now(loop))
    }

    var hasNoLinks: Bool { connected.isEmpty }

    /// Figures for the heartbeat.
    var counters: ChildCounters {
        let figures = machine.figures
        var counters = ChildCounters()
        counters.rooms = figures.rooms
        counters.users = figures.users
        counters.bytesIn = bytesIn
        counters.bytesOut = bytesOut
        counters.publications = figures.publications
        counters.deliveries = deliveries
        counters.protocolErrors = protocolErrors
        counters.hubLinks = connected.count
        counters.linksCut = linksCut
        counters.queuedBytes = connected.values.reduce(0) { $0 + $1.output.waiting }
        counters.historyRooms = figures.historyRooms
        counters.historyMessages = figures.historyMessages
        counters.historyBytes = figures.historyBytes
        counters.recorded = figures.recorded
        counters.storageFailures = figures.storageFailures
        counters.storageFailing = isStorageFailing
        counters.repetitions = figures.repetitions
        return counters
    }

    private static func now(_ loop: any EventLoop) -> MonotonicTime {
        MonotonicTime(nanoseconds: Int64(clamping: loop.now.uptimeNanoseconds))
    }

    var now: MonotonicTime { Self.now(loop) }

    /// Carries out what was collected and takes nothing more: the process is about to end.
    func stop() {
        carryOutPending()
        endTurn()
        isStopped = true
        timer?.task.cancel()
    }
}
