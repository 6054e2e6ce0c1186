import Glibc
import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import WebSocketProtocol

/// Why an upstream did not answer, or not to the end.
enum UpstreamFault: Error, Equatable {
    /// Nobody listens there; with hold, for that long.
    case refused
    /// The socket file is not there.
    case missing
    /// Its queue of connections is full (Unix sockets).
    case busy
    /// No way there, in the system's words.
    case unreachable(String)
    /// The host's name is not known.
    case unresolved
    case connectTimeout
    case tls(String)
    /// It closed the connection before it answered.
    case closed
    /// What it sent is no HTTP.
    case badAnswer(String)
    case timeout
    /// It fell silent in the middle.
    case idle
    /// Too many requests wait already.
    case crowded
    /// The client's own doing: it sent its body too slowly.
    case slowClient
    /// The request has come round.
    case loop

    /// The label `reason` of the metric.
    var label: String {
        switch self {
        case .refused, .missing, .busy: "refused"
        case .unreachable, .unresolved: "unreachable"
        case .connectTimeout: "connect_timeout"
        case .tls: "tls"
        case .closed: "closed"
        case .badAnswer: "bad_answer"
        case .timeout: "timeout"
        case .idle: "idle"
        case .crowded: "crowded"
        case .slowClient: "slow_client"
        case .loop: "loop"
        }
    }

    /// Whether the upstream may just be starting.
    var mayPass: Bool { [.refused, .missing, .busy].contains(self) }

    /// For the log, with names that are nobody else's business.
    var detail: String {
        switch self {
        case .unreachable(let text), .tls(let text), .badAnswer(let text): "\(label): \(text)"
        default: label
        }
    }

    /// Of a failed attempt to connect.
    init(connecting error: any Error) {
        switch error {
        case let fault as UpstreamFault: self = fault
        case let error as IOError: self.init(error)
        case let error as NIOConnectionError:
            let faults = error.connectionErrors.map { UpstreamFault(connecting: $0.error) }
            if let passing = faults.first(where: \.mayPass) ?? faults.first {
                self = passing
            } else {
                self = .unresolved
            }
        case ChannelError.connectTimeout: self = .connectTimeout
        case let error as NIOSSLError: self = .tls("\(error)")
        case let error as NIOSSLExtraError: self = .tls("\(error)")
        case let error as BoringSSLError: self = .tls("\(error)")
        default: self = .unreachable("\(error)")
        }
    }

    private init(_ error: IOError) {
        switch error.errnoCode {
        case ECONNREFUSED, ECONNRESET: self = .refused
        case ENOENT: self = .missing
        case EAGAIN: self = .busy
        case ETIMEDOUT: self = .connectTimeout
        case let code: self = .unreachable(String(cString: strerror(code)))
        }
    }

    /// Of a connection that stood.
    init(connected error: any Error) {
        switch error {
        case HTTPParserError.invalidEOFState: self = .closed
        case let error as HTTPParserError: self = .badAnswer("\(error)")
        case let error as UpstreamFault: self = error
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError: self = .tls("\(error)")
        default: self = .closed
        }
    }
}

extension HTTPRefusal {
    /// - Parameters:
    ///   - held: how long the request has waited for the upstream to start; `nil`: not at all.
    ///   - asksForJSON: what the client accepts.
    init(_ fault: UpstreamFault, route: Route, held: Duration?, asksForJSON: Bool) {
        let (status, code, sentence) = Self.words(fault, route, held)
        var fields: [HTTPField] = []
        if status == 503 { fields.append(HTTPField("Retry-After", "\(RouteLimits.retryAfter)")) }
        guard asksForJSON else {
            self.init(status: status, sentence: sentence, fields: fields)
            return
        }
        // A path of a URL holds nothing that JSON would have to escape.
        fields.append(HTTPField("Content-Type", "application/json"))
        self.init(status: status, sentence: "{\"code\":\"\(code)\",\"error\":\"\(sentence)\"}", fields: fields)
    }

    private static func words(
        _ fault: UpstreamFault, _ route: Route, _ held: Duration?
    ) -> (status: Int, code: String, sentence: String) {
        let name = "The application behind \(route.path)"
        let settings = route.settings
        switch fault {
        case .refused, .missing, .busy:
            let reason = fault == .missing ? "has no socket yet" : "accepts no connections"
            guard let held else { return (502, "upstreamUnreachable", "\(name) \(reason).") }
            let seconds = max(1, (held.milliseconds + 500) / 1000)
            return (503, "upstreamStarting", "\(name) \(reason); this was tried for \(seconds) s. Try again soon.")
        case .crowded:
            return (503, "upstreamStarting", "\(name) accepts no connections, and too many requests wait for it.")
        case .unreachable, .unresolved:
            return (502, "upstreamUnreachable", "\(name) cannot be reached; the log says why.")
        case .tls:
            return (502, "upstreamUnreachable", "\(name) cannot be reached over TLS; the log says why.")
        case .connectTimeout:
            let limit = settings.connectTimeout.milliseconds
            return (504, "upstreamTimeout", "\(name) took no connection within \(limit) ms.")
        case .timeout:
            return (504, "upstreamTimeout", "\(name) did not answer within \(settings.timeout.milliseconds) ms.")
        case .closed, .idle:
            return (502, "upstreamBroken", "\(name) closed the connection without an answer.")
        case .badAnswer:
            return (502, "upstreamBroken", "\(name) sent an answer that is not HTTP; the log says why.")
        case .slowClient:
            return (408, "requestTimeout", "The body of the request came too slowly.")
        case .loop:
            return (508, "loop", "\(name) is this service: its upstream sends requests back here.")
        }
    }

    static let transferCoding = HTTPRefusal(
        status: 501, sentence: "Only the transfer coding chunked is understood here.")

    static let unsoundHost = HTTPRefusal(
        status: 400, sentence: "The field Host, or the authority of the target, is not a host with or without a port.")

    static func routeBodyTooLarge(_ route: Route) -> HTTPRefusal {
        HTTPRefusal(
            status: 413, sentence: "The body of the request is larger than \(route.settings.maxBody) bytes.")
    }
}
