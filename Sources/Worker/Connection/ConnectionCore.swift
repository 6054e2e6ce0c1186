import Model
import NIOCore
import Realtime
import WebSocketProtocol
import Wire

/// Everything there is to one WebSocket connection besides its rooms, sans-I/O: bytes and time go in, actions and bytes
/// to send come out. Knows no channel, clock or task.
///
/// Obligations of the driver: after ``receive(_:now:)`` call ``next(limits:)`` until `nil`, then ``ownInput()`` where the
/// core ``isSuspended``; send ``outbound`` in order and empty it; call ``timeElapsed(now:limits:)`` when
/// ``ConnectionTiming/look(at:)`` says so.
///
/// A connection is *suspended* while its next step waits for somebody else (admission, a webhook, the hub): it takes no
/// further command then, and what has come stays in it, in order, until ``resume(now:)``. A new one is suspended until
/// ``admit(as:now:)``, but for the echo.
struct ConnectionCore {
    /// What a connection is for, fixed by its path and subprotocol.
    enum Purpose: UInt8, Codable {
        /// The simple dialect.
        case simple
        /// Messages come back as they are.
        case echo
        /// The dialect `wsd.v1.json`.
        case v1

        /// The dialect's name in statistics.
        var name: String {
            switch self {
            case .simple: SimpleDialect.name
            case .echo: "echo"
            case .v1: V1Dialect.subprotocol
            }
        }
    }

    enum Phase: UInt8, Codable {
        case open
        /// Pinged; the client is cut off unless it is heard of.
        case pinged
        /// Our close frame is sent or queued; the peer's is awaited.
        case closing
        /// Nothing that comes or is asked for counts any more.
        case ended
        /// The handshake is answered; whether the client may be here is being decided.
        case admitting
    }

    /// What became known of a client's connections, for figures and for what follows.
    struct Marks: OptionSet, Codable {
        var rawValue: UInt8
        /// It has named a former session or a position in a join.
        static let reconnected = Marks(rawValue: 1)
        /// It got what it had missed.
        static let resumed = Marks(rawValue: 2)
        /// It was admitted.
        static let admitted = Marks(rawValue: 4)
        /// Those who follow it know why it is being closed.
        static let closeTraced = Marks(rawValue: 8)
        /// It was given up for reading too slowly.
        static let slow = Marks(rawValue: 16)
        /// It was taken out of its rooms and of what the limits count.
        static let released = Marks(rawValue: 32)
    }

    /// Commands of a frame that wait for their turn. Never changed, so that a copy of the core may share it.
    final class Batch: Sendable {
        let frame: ByteBuffer
        let messages: [Result<DialectMessage, DialectError>]

        init(frame: ByteBuffer, messages: [Result<DialectMessage, DialectError>]) {
            self.frame = frame
            self.messages = messages
        }
    }

    /// Who the client is; shared, since most connections have none.
    final class Identity: Sendable {
        let value: ClientIdentity

        init(_ value: ClientIdentity) {
            self.value = value
        }
    }

    let purpose: Purpose
    var session: ClientSession
    /// What is due to the client. Whole frames, but for the beginning that was sent already.
    var outbound = ByteBuffer()
    var webSocket: WebSocketConnection
    var phase: Phase
    var isSuspended: Bool
    var marks: Marks = []
    /// How many of ``batch`` were taken.
    var takenOfBatch: UInt8 = 0
    /// Open: when bytes last came. Pinged, closing: when that began.
    var since: MonotonicTime
    var batch: Batch?
    /// Set while authenticated.
    var identity: Identity?
    /// The code of our close frame, or of the client's if that came first.
    var farewell: CloseCode?
    /// Bytes of messages sent on a connection with permessage-deflate, and what they became.
    var compressible = 0
    var compressed = 0
    let isDeflating: Bool

    init(
        purpose: Purpose, id: ClientID, session: SessionID = SessionID(rawValue: 0), limits: Limits,
        deflate: DeflateParameters? = nil, pool: DeflatePool? = nil, now: MonotonicTime
    ) {
        self.purpose = purpose
        self.session = ClientSession(id: id, session: session, now: now)
        webSocket = WebSocketConnection(role: .server, limits: limits.webSocket, deflate: deflate, pool: pool)
        isDeflating = deflate != nil
        phase = purpose == .echo ? .open : .admitting
        isSuspended = purpose != .echo
        since = now
    }

    /// Whether messages may still be delivered to the client.
    var isOpen: Bool { phase == .open || phase == .pinged }

    /// Bytes held for the peer's unfinished message, and those that wait while it is suspended.
    var heldBytes: Int { webSocket.heldBytes + (batch?.frame.readableBytes ?? 0) }

    /// Bytes sent for each byte of the messages; `nil`: nothing was compressed.
    var compressionRatio: Double? {
        compressible > 0 ? Double(compressed) / Double(compressible) : nil
    }
}

extension ConnectionCore {
    /// Bounds and texts shared by all connections of a worker.
    struct Limits {
        var webSocket: WebSocketLimits
        /// Bytes of a room's name.
        var roomName: Int
        /// Zero: never ping.
        var pingInterval: Duration
        var pongTimeout: Duration
        /// From our close frame to the cut.
        var closeTimeout = Duration.seconds(2)
        /// Bytes that may wait for a client.
        var outboundQueue: Int
        /// Above so many of them no further command of the client is taken.
        var holdAbove: Int { outboundQueue / 2 }
        /// At most, of a message and its frame: names of 1,024 and 256 bytes, escaped, and what is short.
        private static let envelope = 16 * 1024
        /// Bytes that may be held for a client while it is suspended: what one read brings, and its unfinished message.
        var heldWhileSuspended: Int
        /// Where somebody has to authenticate before anything else.
        var isAuthRequired: Bool
        var typingTimeout: Duration
        /// What clients of `wsd.v1.json` are told of it.
        var hints: V1ServerHints

        init(_ configuration: WsdConfiguration) {
            let webSocket = configuration.websocket
            self.webSocket = WebSocketLimits(
                maxMessageSize: webSocket.maxMessageSize, maxFragments: webSocket.maxFragments)
            roomName = configuration.rooms.maxNameLength
            pingInterval = webSocket.pingInterval
            pongTimeout = webSocket.pongTimeout
            // One message of the allowed size always fits, with its envelope.
            outboundQueue = max(webSocket.outboundQueue, configuration.maxMessageData + Self.envelope)
            heldWhileSuspended = 2 * ReceiveBuffers.capacity + webSocket.maxMessageSize
            isAuthRequired = configuration.auth.required
            typingTimeout = configuration.rooms.typingTimeout
            hints = V1ServerHints(
                pingInterval: webSocket.pingInterval, pongTimeout: webSocket.pongTimeout,
                maxMessageSize: webSocket.maxMessageSize,
                rate: configuration.limits.messageRate.flatMap { $0.isOff ? nil : $0 })
        }
    }
}
