import Logging
import Model
import NIOCore
import Realtime
import Wire

/// The I/O around the hub's machine: reads links, encodes deliveries once, writes every link once per turn of the
/// event loop, acknowledges. Confined to one event loop.
///
/// A turn: all readable links are read and their operations carried out; deliveries pile up in the links' outputs. At
/// the end, in ``endTurn()``, each origin gets its acknowledgement behind the deliveries and each link is flushed.
/// *Settled* follows the channel's write completions and travels with the next acknowledgement, at the latest after
/// ``settleDelay``.
final class HubServer {
    /// How long a settled sequence may wait for an acknowledgement to travel with.
    static let settleDelay = TimeAmount.milliseconds(10)
    /// Connections that may exist at once: every slot, its draining predecessor, and room to spare.
    static let maxLinks = 4096

    let loop: any EventLoop
    let logger: Logger
    let boot: BootID
    let maxPayload: Int
    let linkQueue: Int
    let backpressure: LinkBackpressure

    var machine: HubStateMachine
    var tracker = SettlementTracker()
    /// By the machine's numbers.
    var links: [HubLink?] = []
    var connected: [ObjectIdentifier: HubLink] = [:]
    var dirty: [HubLink] = []
    var overfull: [HubLink] = []
    var encoded = ByteBuffer()
    /// Targets of the operation that is being carried out.
    var targets: [Int] = []
    var isTurnScheduled = false
    var isSettleScheduled = false
    var isCheckScheduled = false
    var waitingForServing: [HubLink] = []

    var publications = 0
    var deliveries = 0
    var linksCut = 0
    var protocolErrors = 0
    var bytesIn = 0
    var bytesOut = 0
    /// Called when the last link has gone.
    var whenEmpty: (() -> Void)?

    /// `expectedLinks`: workers that should register before a new hub begins to serve.
    init(loop: any EventLoop, logger: Logger, boot: BootID, configuration: WsdConfiguration, expectedLinks: Int) {
        self.loop = loop
        self.logger = logger
        self.boot = boot
        maxPayload = configuration.websocket.maxMessageSize
        linkQueue = configuration.hub.linkQueue
        backpressure = LinkBackpressure(linkQueue: linkQueue)
        machine = HubStateMachine(
            boot: boot, announceMax: configuration.rooms.announceMax, expectedLinks: expectedLinks, now: Self.now(loop))
    }

    var hasNoLinks: Bool { connected.isEmpty }

    /// Figures for the heartbeat. Clients are the workers' to count: here they are known by their rooms alone.
    var counters: ChildCounters {
        var counters = ChildCounters()
        counters.rooms = machine.roomCount
        counters.bytesIn = bytesIn
        counters.bytesOut = bytesOut
        counters.publications = publications
        counters.deliveries = deliveries
        counters.protocolErrors = protocolErrors
        counters.hubLinks = connected.count
        counters.linksCut = linksCut
        counters.queuedBytes = connected.values.reduce(0) { $0 + $1.output.waiting }
        return counters
    }

    private static func now(_ loop: any EventLoop) -> MonotonicTime {
        MonotonicTime(nanoseconds: Int64(clamping: loop.now.uptimeNanoseconds))
    }

    var now: MonotonicTime { Self.now(loop) }
}
