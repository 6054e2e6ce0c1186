/// The effective configuration of one service: defaults, file, environment and flags already merged.
///
/// Every value is valid by construction of the loader; ranges stand with each field. Sizes are bytes. Field names are the keys
/// of `wsd.yaml`.
package struct WsdConfiguration: Equatable, Sendable, Codable {
    package var mode = RunMode.dev
    /// Cannot be changed by a reload.
    package var listen: [ListenAddress] = [.tcp(host: "127.0.0.1", port: 8080)]
    package var workers = WorkersConfiguration()
    package var restart = RestartConfiguration()
    package var reload = ReloadConfiguration()
    package var shutdown = ShutdownConfiguration()
    package var websocket = WebSocketConfiguration()
    package var rooms = RoomsConfiguration()
    package var http = HTTPConfiguration()
    package var hub = HubConfiguration()
    package var control = ControlConfiguration()
    package var log = LogConfiguration()

    package init() {}
}

package enum RunMode: String, Sendable, Codable, CaseIterable {
    /// Loopback, readable logs, test page and echo.
    case dev
    /// All addresses, JSON logs, neither test page nor echo unless configured.
    case prod
}

package struct WorkersConfiguration: Equatable, Sendable, Codable {
    /// Worker processes; 0…1024; `nil` (written `auto`): one per core.
    package var count: Int?
    /// Resident bytes above which a worker is replaced gracefully; 16 MiB…1 TiB; 0: no limit.
    package var maxMemory = 0
    /// How long a new child may take until READY; 100 ms…10 min.
    package var readyTimeout = Duration.seconds(10)
    /// Silence after which a child counts as stuck and is killed; 2 s…10 min. Children send a heartbeat every second.
    package var heartbeatTimeout = Duration.seconds(5)

    package init() {}
}

/// When a child that ended is started again.
package struct RestartConfiguration: Equatable, Sendable, Codable {
    /// First delay after an unstable end; 1 ms…1 h.
    package var initialDelay = Duration.milliseconds(100)
    /// Factor from one delay to the next; 1…10.
    package var factor = 2.0
    /// Longest delay; at least `initialDelay`, at most 24 h.
    package var maxDelay = Duration.seconds(15)
    /// A child that was READY this long is stable: its end is answered at once and resets the count;
    /// 1 ms…24 h; 0: always.
    package var stableAfter = Duration.seconds(30)
    /// Unstable ends in a row above which a slot is given up (`failed`); 1…1,000,000. Never applies to the hub.
    package var maxUnstable = 16

    package init() {}
}

package struct ReloadConfiguration: Equatable, Sendable, Codable {
    /// Clients of a replaced worker are closed (1012) evenly over this time; 0…1 h.
    package var drainSpread = Duration.seconds(5)
    /// A replaced worker that still has clients after this time is killed; at least `drainSpread`, at most 24 h.
    package var drainTimeout = Duration.seconds(30)

    package init() {}
}

package struct ShutdownConfiguration: Equatable, Sendable, Codable {
    /// `/readyz` says 503 this long while connections are still accepted; 0…10 min.
    package var lameDuck = Duration.zero
    /// Clients are closed (1001) evenly over this time; 0…1 h.
    package var drainSpread = Duration.seconds(2)
    /// From the signal's end of lame duck to the kill of what is left; at least `drainSpread`, at most 24 h.
    package var timeout = Duration.seconds(30)

    package init() {}
}

package struct WebSocketConfiguration: Equatable, Sendable, Codable {
    /// Paths that accept an upgrade.
    package var paths = ["/", "/ws", "/ws/connection", "/connection/websocket"]
    /// Largest message from a client, over all its fragments; 125…64 MiB. Above: close 1009.
    package var maxMessageSize = 64 * 1024
    /// Most fragments in one message; 1…1,048,576. Above: close 1008.
    package var maxFragments = 1024
    /// Time for a complete request head; 1 s…10 min.
    package var handshakeTimeout = Duration.seconds(10)
    /// Largest request head; 1 KiB…256 KiB. Above: 431.
    package var maxHeaderSize = 16 * 1024
    /// A client silent this long is pinged; 1 s…1 h; 0: never.
    package var pingInterval = Duration.seconds(25)
    /// A pinged client that stays silent this long is closed; 1 s…1 h.
    package var pongTimeout = Duration.seconds(10)
    /// Bytes that may wait for one client; 4 KiB…1 GiB. Above: close 1013.
    package var outboundQueue = 1024 * 1024
    /// `<prefix>echo`; `nil`: on in dev, off in prod.
    package var echo: Bool?

    package init() {}
}

package struct RoomsConfiguration: Equatable, Sendable, Codable {
    /// Joins and leaves are announced in rooms up to this many members; 0…1,000,000; 0: never.
    package var announceMax = 200
    /// Rooms one client may be in; 1…100,000.
    package var maxPerClient = 128
    /// Longest room name, bytes of UTF-8; 1…1024.
    package var maxNameLength = 256

    package init() {}
}

package struct HTTPConfiguration: Equatable, Sendable, Codable {
    /// Everything of wsd's own lies under it; begins and ends with `/`.
    package var prefix = "/wsd/"
    /// Folder served for every path that is not wsd's; `nil`: none.
    package var staticFolder: String?
    /// Answer unknown paths that ask for HTML with the folder's `index.html`.
    package var singlePage = false
    /// Base that pages are told to connect to (`wss://chat.example.org`); `nil`: from the request.
    package var publicURL: String?
    /// Addresses or networks (CIDR) whose `X-Forwarded-*` headers are believed.
    package var trustedProxies: [String] = []
    /// `<prefix>metrics` on the public port.
    package var metrics = false
    /// `<prefix>test`, and `/` where nothing else is; `nil`: on in dev, off in prod.
    package var testPage: Bool?

    package init() {}
}

package struct HubConfiguration: Equatable, Sendable, Codable {
    /// A client's request that the hub has not confirmed after this time is answered with a temporary error; 100 ms…1 min.
    package var requestTimeout = Duration.seconds(5)
    /// Bytes of unconfirmed operations a worker holds for the hub; 64 KiB…1 GiB, at least `maxMessageSize`. Above: new ones
    /// are refused.
    package var heldBytes = 8 * 1024 * 1024
    /// Bytes the hub queues for one worker that does not read before it cuts that link, four times as many while the
    /// worker still reads; 64 KiB…4 GiB, at least `maxMessageSize`.
    package var linkQueue = 32 * 1024 * 1024

    package init() {}
}

package struct ControlConfiguration: Equatable, Sendable, Codable {
    /// Path of the control socket; `nil`: the usual place. Cannot be changed by a reload.
    package var socket: String?
    /// Group whose members may do everything; `nil`: none besides root and the own user. Cannot be changed by a reload.
    package var group: String?
    /// Any local user may look (status, clients, logs), but not change. Cannot be changed by a reload.
    package var readOnlyOthers = false

    package init() {}
}

package struct LogConfiguration: Equatable, Sendable, Codable {
    package var level = LogLevel.info
    /// What the supervisor writes to its standard error.
    package var format = LogFormat.auto
    /// Log file; `nil`: none.
    package var file: String?
    /// A file above this size is rotated; 64 KiB…1 TiB.
    package var fileMaxSize = 16 * 1024 * 1024
    /// Rotated files kept; 0…1000.
    package var fileKeep = 5
    /// Bytes of recent lines kept in memory for each child; 16 KiB…64 MiB.
    package var memoryPerChild = 1024 * 1024
    /// The same over all children; at least `memoryPerChild`, at most 64 GiB.
    package var memoryTotal = 16 * 1024 * 1024

    package init() {}
}

package enum LogFormat: String, Sendable, Codable, CaseIterable {
    /// `text` on a terminal or in dev, `json` otherwise.
    case auto
    case text
    case json
}

package enum LogLevel: String, Sendable, Codable, CaseIterable, Comparable {
    case trace, debug, info, notice, warning, error, critical

    package static func < (lhs: Self, rhs: Self) -> Bool {
        lhs.severity < rhs.severity
    }

    private var severity: Int {
        switch self {
        case .trace: 0
        case .debug: 1
        case .info: 2
        case .notice: 3
        case .warning: 4
        case .error: 5
        case .critical: 6
        }
    }
}

extension WsdConfiguration {
    package var echoEnabled: Bool { websocket.echo ?? (mode == .dev) }
    package var testPageEnabled: Bool { http.testPage ?? (mode == .dev) }
}
