package import Model

// The link between the supervisor and one child: a stream socketpair, one JSON object a line in each direction.
// It carries decisions and figures, a few lines a second; no client's message ever passes here.

/// What a child tells its supervisor.
package enum ChildMessage: Codable, Sendable, Equatable {
    /// First line. The supervisor kills a child whose `link` version is not its own.
    case hello(pid: Int32, version: String, link: Int, boot: BootID)
    /// The child serves: a worker accepts connections, the hub accepts links.
    case ready
    /// Once a second from READY on, from the child's own event loop.
    case heartbeat(ChildCounters)
    /// The child cannot start or go on; it exits with `exitCode` right after. A sentence for the operator.
    case failed(reason: String, exitCode: Int32)
    /// The worker has let go of the listening sockets: its successor's accepts are the only ones now.
    case listenerReleased
    /// Clients still to be closed, while draining (once a second and at 0).
    case draining(remaining: Int)
    /// Answer to a query. `more`: further pages follow under the same `id`.
    case reply(id: Int, page: ChildReply, more: Bool)
    /// What happened to whom a trace follows, in order. `dropped`: events since the last message that were too many.
    case trace(id: Int, events: [TraceEvent], dropped: Int)
}

/// What the supervisor tells a child.
package enum SupervisorMessage: Codable, Sendable, Equatable {
    /// First line, written before the child runs.
    case configure(ChildConfiguration)
    /// `/readyz` answers 503 from now on, or no more (`false`).
    case lameDuck(Bool)
    /// Stop accepting, close all clients over `spread` with `code`, then exit 0. After `deadline` close the rest at once.
    /// A second drain replaces the first (a hurried shutdown).
    case drain(code: CloseCode, spread: Duration, deadline: Duration)
    case logLevel(LogLevel)
    case query(id: Int, ChildQuery)
}

/// All a child needs to know to begin.
package struct ChildConfiguration: Codable, Sendable, Equatable {
    package var slot: SlotID
    package var instance: InstanceID
    package var configuration: WsdConfiguration
    /// Path of the hub's Unix socket, in a directory of mode 0700.
    package var hubSocket: String
    /// Path of the control socket; empty: there is none.
    package var controlSocket: String
    /// The sockets inherited as descriptors ``ChildDescriptors/firstListener`` and following, in this order.
    package var listeners: [ListenAddress]
    /// Those inherited behind them, which only send browsers to https.
    package var redirects: [ListenAddress] = []
    /// Seconds since 1970 when the supervisor started.
    package var serviceStartedAt: Double
    /// Worker processes that lived when this child was spawned, draining ones included; what a new hub waits for.
    package var livingWorkers: Int

    package init(
        slot: SlotID, instance: InstanceID, configuration: WsdConfiguration, hubSocket: String,
        listeners: [ListenAddress],
        serviceStartedAt: Double, livingWorkers: Int = 0, controlSocket: String = ""
    ) {
        self.slot = slot
        self.instance = instance
        self.configuration = configuration
        self.hubSocket = hubSocket
        self.controlSocket = controlSocket
        self.listeners = listeners
        self.serviceStartedAt = serviceStartedAt
        self.livingWorkers = livingWorkers
    }
}

/// Numbers of the descriptors a child is born with, besides 0 (`/dev/null`), 1 and 2 (its log pipe).
package enum ChildDescriptors {
    /// The child link's end of the socketpair.
    package static let link: Int32 = 3
    /// The memfd of the fleet board (one cell of live figures for each worker slot).
    package static let board: Int32 = 4
    /// The first listening socket; workers only.
    package static let firstListener: Int32 = 5
}

/// Figures of one child. Counters only grow during its life; gauges are current. A hub fills in what it has.
package struct ChildCounters: Codable, Sendable, Equatable {
    /// Gauge: open WebSocket connections (workers).
    package var clients = 0
    /// Gauge: open live connections (`/ws/logs`, `/ws/stats`; workers); they are no clients.
    package var liveConnections = 0
    /// Gauge: rooms with a member here (workers), rooms in all (hub).
    package var rooms = 0
    package var connectionsAccepted = 0
    package var handshakesRefused = 0
    package var messagesIn = 0
    package var messagesOut = 0
    package var bytesIn = 0
    package var bytesOut = 0
    /// Publications sent to (workers) or ordered by (hub) the hub.
    package var publications = 0
    /// Deliveries that came over the hub link (workers) or left for workers (hub).
    package var deliveries = 0
    package var slowClientsClosed = 0
    /// Clients in rooms closed (1013) because deliveries for them were lost with the hub link.
    package var lossClosed = 0
    package var heartbeatTimeouts = 0
    package var protocolErrors = 0
    /// Times that accepting paused because no descriptor was free (EMFILE, ENFILE).
    package var acceptPauses = 0
    /// Gauge, workers: it pauses now.
    package var acceptPaused = false
    package var errors = 0
    /// Log lines dropped in the child because its pipe was full.
    package var logLinesDropped = 0
    /// Gauge: operations held for the hub.
    package var held = 0
    /// Gauge, workers: the hub link is up. Gauge, hub: links of workers.
    package var hubLinks = 0
    /// Hub: links cut because a worker did not read.
    package var linksCut = 0
    /// Gauge: bytes queued for links (hub).
    package var queuedBytes = 0

    /// WebSocket connections opened.
    package var connects = 0
    /// Of these: clients that came back (a former session or position in a join).
    package var reconnects = 0
    /// Joins with a position whose missed messages were all there, and those where they were not.
    package var resumed = 0
    package var notResumed = 0
    /// Connections refused or closed before they were admitted, by reason (`origin`, `connections_per_user`, …).
    package var refusedByReason: [String: Int] = [:]
    /// Messages refused by a rate limit.
    package var rateLimited = 0
    /// Commands that failed, by ``ClientErrorCode``.
    package var errorsByCode: [String: Int] = [:]
    /// Bytes of messages to clients before compression and after it; only those that were compressed.
    package var compressionIn = 0
    package var compressionOut = 0
    /// Bytes of compressed messages from clients as they came and decompressed.
    package var decompressionIn = 0
    package var decompressionOut = 0
    /// By name: `connect`, `join`, `publish`, `rpc`, `disconnect`, `roomEmpty`.
    package var webhooks: [String: WebhookFigures] = [:]
    /// By path of the route; only those that were used.
    package var routes: [String: RouteFigures] = [:]
    /// Gauge: distinct users with a connection here.
    package var users = 0
    /// Members that were told of lost messages (a `gap` event).
    package var gaps = 0
    /// TLS handshakes that were completed, and those that failed, by reason (`version`, `closed`, …).
    package var tlsHandshakes = 0
    package var tlsFailures: [String: Int] = [:]
    /// Gauge: when the TLS certificate's time ends, seconds since 1970; 0: there is no TLS.
    package var tlsNotAfter = 0
    /// Gauge: its files have changed and cannot be used; the former is served.
    package var tlsStale = false
    /// From taking in a publication to the last write of its delivery; each delivery to a worker counts once.
    package var latency = LatencyHistogram()
    /// Gauge: traces that are being followed.
    package var traces = 0
    /// Events of traces that were too many.
    package var traceEventsDropped = 0

    /// Gauges, hub: rooms whose history is in memory, the messages in it, and their bytes.
    package var historyRooms = 0
    package var historyMessages = 0
    package var historyBytes = 0
    /// Hub: messages recorded in a history, and those refused because they could not be.
    package var recorded = 0
    package var storageFailures = 0
    /// Gauge, hub: the last batch could not be recorded.
    package var storageFailing = false
    /// Hub: publications not delivered again because their message id was known.
    package var repetitions = 0
    /// Hub: batches committed to the history's database, and the time that took, microseconds.
    package var commits = 0
    package var commitMicroseconds = 0
    /// Gauge, hub: bytes of the history's database on the disk, its log included.
    package var historyFileBytes = 0

    package init() {}
}

package enum ChildQuery: Codable, Sendable, Equatable {
    /// Connected clients that match; workers answer with ``ChildReply/clients(_:)`` pages.
    case clients(ClientFilter)
    /// Rooms with a local member.
    case rooms(prefix: String?)
    /// Close one client. Answered with ``ChildReply/count(_:)``: 1 when it was here.
    case kick(client: String, code: CloseCode, reason: String)
    /// Hub only: publish as the operator. `data` is JSON text.
    case publish(room: String, data: String)
    /// Workers only: follow what happens to somebody; `id` is the supervisor's. Answered with ``ChildReply/count(_:)``:
    /// clients that fit now. A second one with the same `id` replaces the first.
    case trace(id: Int, TraceFilter)
    /// Answered with ``ChildReply/count(_:)``: 1 when there was such a trace.
    case untrace(id: Int)
    /// Hub only: a ``BackendRequest`` (``BackendRequest/encoded()``). Answered with ``ChildReply/backend(json:)``.
    case backend(json: String)
}

package enum ChildReply: Codable, Sendable, Equatable {
    case clients([ClientInfo])
    case rooms([RoomInfo])
    case count(Int)
    case refused(String)
    /// A ``BackendResponse`` (``BackendResponse/encoded()``). One that is too long for a line comes in several pages, to be
    /// joined.
    case backend(json: String)
}

package struct ClientFilter: Codable, Sendable, Equatable {
    package var id: String?
    package var room: String?
    package var user: String?
    package var address: String?

    package init(id: String? = nil, room: String? = nil, user: String? = nil, address: String? = nil) {
        self.id = id
        self.room = room
        self.user = user
        self.address = address
    }
}

package struct ClientInfo: Codable, Sendable, Equatable {
    package var id: String
    package var worker: Int
    package var address: String
    package var user: String?
    package var path: String
    package var origin: String?
    package var userAgent: String?
    /// `simple`, later others.
    package var dialect: String
    package var rooms: [String]
    /// Seconds since 1970.
    package var connectedAt: Double
    package var messagesIn: Int
    package var messagesOut: Int
    package var bytesIn: Int
    package var bytesOut: Int
    /// Bytes waiting to be sent.
    package var queue: Int
    /// Seconds since it connected.
    package var sessionAge: Double?
    package var authenticated: Bool?
    /// It came back and got what it had missed.
    package var resumed: Bool?
    /// Messages refused by a rate limit.
    package var rateLimited: Int?
    /// Bytes sent for each byte of the messages, with permessage-deflate; `nil`: it is off, or nothing was compressed.
    package var compressionRatio: Double?
    /// Mean size of all messages in both directions, bytes.
    package var averageSize: Double?
    /// Shown at the TLS handshake, and found good.
    package var certificate: ClientCertificate?

    package init(
        id: String, worker: Int, address: String, user: String?, path: String, origin: String?, userAgent: String?,
        dialect: String,
        rooms: [String], connectedAt: Double, messagesIn: Int, messagesOut: Int, bytesIn: Int, bytesOut: Int, queue: Int
    ) {
        self.id = id
        self.worker = worker
        self.address = address
        self.user = user
        self.path = path
        self.origin = origin
        self.userAgent = userAgent
        self.dialect = dialect
        self.rooms = rooms
        self.connectedAt = connectedAt
        self.messagesIn = messagesIn
        self.messagesOut = messagesOut
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
        self.queue = queue
    }
}

package struct RoomInfo: Codable, Sendable, Equatable {
    package var room: String
    /// Members (connections), over all workers once summed.
    package var members: Int
    /// Messages that this worker's members were delivered (hub: that it ordered), and their bytes.
    package var messages: Int?
    package var bytes: Int?
    /// The position, where the room keeps history.
    package var epoch: String?
    package var offset: UInt64?

    package init(room: String, members: Int) {
        self.room = room
        self.members = members
    }
}
