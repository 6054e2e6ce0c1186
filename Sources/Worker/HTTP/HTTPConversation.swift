import Model
import NIOCore
import NIOHTTP1
import WebSocketProtocol
import Wire

/// What a plain HTTP connection does next: one request at a time, its body kept whole or, on a route, passed on as it comes;
/// upgrades noticed.
struct HTTPConversation {
    private enum State {
        /// For a head.
        case waiting
        case receiving(HTTPRequestHead, body: ByteBuffer, keepsAlive: Bool)
        case answering(keepsAlive: Bool)
        /// An upstream answers.
        case forwarding(Route, received: Int, isWhole: Bool, keepsAlive: Bool)
        /// Until the head's own end.
        case upgrading(RequestHead)
        /// Refused, handed over or closed: input no longer counts.
        case ended
    }

    enum Action {
        case none
        /// A body follows; `continues`: the client waits for 100 first.
        case awaitBody(continues: Bool)
        case answer(HTTPRequestHead, body: ByteBuffer)
        case forward(HTTPRequestHead, Route)
        case forwardBody(ByteBuffer)
        case forwardEnd(HTTPHeaders?)
        /// What is being forwarded ends; if nothing was answered to it, this is. The connection ends.
        case abandon(HTTPRefusal)
        /// Nothing else was answered to this request. The connection ends.
        case refuse(HTTPRefusal)
        case handOver(RequestHead)
        case close
    }

    private var state = State.waiting
    private var isDraining: Bool
    private let bodies: HTTPBodyLimits
    private let routes: RouteMap

    /// - Parameter isDraining: the connection ends after its first answer.
    init(isDraining: Bool = false, bodies: HTTPBodyLimits = HTTPBodyLimits(), routes: RouteMap = RouteMap()) {
        self.isDraining = isDraining
        self.bodies = bodies
        self.routes = routes
    }

    /// Whether an answer written now leaves the connection open.
    var keepsAlive: Bool {
        switch state {
        case .waiting, .upgrading: !isDraining
        case .receiving(_, _, let keepsAlive), .answering(let keepsAlive), .forwarding(_, _, _, let keepsAlive):
            keepsAlive && !isDraining
        case .ended: false
        }
    }

    mutating func received(_ part: HTTPServerRequestPart) -> Action {
        switch (state, part) {
        case (.waiting, .head(let head)):
            return received(head)
        case (.receiving(let head, var body, let keepsAlive), .body(var piece)):
            guard body.readableBytes + piece.readableBytes <= bodies.limit(head.uri) else {
                return refuse(bodies.refusal(head.uri))
            }
            // Not copied on write: the state does not hold on to it meanwhile.
            state = .ended
            body.writeBuffer(&piece)
            state = .receiving(head, body: body, keepsAlive: keepsAlive)
            return .none
        case (.receiving(let head, let body, let keepsAlive), .end):
            state = .answering(keepsAlive: keepsAlive)
            return .answer(head, body: body)
        case (.forwarding(let route, let received, false, let keepsAlive), .body(let piece)):
            let count = received + piece.readableBytes
            guard route.settings.maxBody == 0 || count <= route.settings.maxBody else {
                return abandon(.routeBodyTooLarge(route))
            }
            state = .forwarding(route, received: count, isWhole: false, keepsAlive: keepsAlive)
            return .forwardBody(piece)
        case (.forwarding(let route, let received, false, let keepsAlive), .end(let trailers)):
            state = .forwarding(route, received: received, isWhole: true, keepsAlive: keepsAlive)
            return .forwardEnd(trailers)
        case (.upgrading(let head), .end):
            state = .ended
            return .handOver(head)
        case (.waiting, .body), (.waiting, .end), (.receiving, .head), (.upgrading, .head), (.upgrading, .body),
            (.answering, _), (.forwarding, _), (.ended, _):
            return .none
        }
    }

    /// The answer is about to be completed.
    /// - Returns: whether the connection goes on.
    mutating func answered() -> Bool {
        switch state {
        case .answering, .forwarding(_, _, isWhole: true, _): break
        // What is left of the request would be taken for the next one.
        case .waiting, .receiving, .forwarding, .upgrading, .ended:
            state = .ended
            return false
        }
        let goesOn = keepsAlive
        state = goesOn ? .waiting : .ended
        return goesOn
    }

    /// The answer in progress is the connection's last.
    mutating func endAfterAnswer() {
        switch state {
        case .answering: state = .answering(keepsAlive: false)
        case .forwarding(let route, let received, let isWhole, _):
            state = .forwarding(route, received: received, isWhole: isWhole, keepsAlive: false)
        case .waiting, .receiving, .upgrading, .ended: break
        }
    }

    /// Whether the client may still be sending the request that is forwarded.
    var isForwardingInPart: Bool {
        if case .forwarding(_, _, isWhole: false, _) = state { true } else { false }
    }

    /// The bytes are not HTTP.
    mutating func failed(_ refusal: HTTPRefusal) -> Action {
        switch state {
        case .waiting, .receiving: refuse(refusal)
        case .forwarding(_, _, isWhole: false, _): abandon(refusal)
        case .answering, .forwarding, .upgrading: .close
        case .ended: .none
        }
    }

    /// The client will send nothing more.
    mutating func inputClosed() -> Action {
        switch state {
        case .answering:
            state = .answering(keepsAlive: false)
            return .none
        // As Node.js has it: a client that ends its side has gone. Otherwise one that is really gone would hold on to what is
        // forwarded, a stream of events for ever.
        case .waiting, .receiving, .forwarding, .upgrading, .ended:
            state = .ended
            return .close
        }
    }

    /// The time for what is awaited has run out.
    mutating func timedOut() -> Action {
        switch state {
        case .receiving: refuse(HTTPRefusal(status: 408, sentence: "The body of the request came too slowly."))
        case .waiting, .answering, .upgrading, .ended: .close
        // The exchange has its own limits.
        case .forwarding: .none
        }
    }

    mutating func drain() -> Action {
        isDraining = true
        switch state {
        case .waiting:
            state = .ended
            return .close
        case .receiving, .answering, .forwarding, .upgrading, .ended:
            return .none
        }
    }

    private mutating func received(_ head: HTTPRequestHead) -> Action {
        let fields = head.headers
        guard fields["host"].count == 1 || head.version == .http1_0 && fields["host"].isEmpty else {
            return refuse(HTTPRefusal(status: 400, sentence: "A request has exactly one field Host."))
        }
        let hasBody = fields.contains(name: "transfer-encoding") || fields.first(name: "content-length") ?? "0" != "0"
        if fields.contains(name: "upgrade") || fields.contains(name: "sec-websocket-key") {
            let whole = RequestHead(head)
            if routes.upgrade(whole) != nil {
                state = .upgrading(whole)
                return .none
            }
            switch routes.answers(whole) ? .notUpgrade : Handshake.decide(whole) {
            case .notUpgrade: break
            case .refuse(let refusal) where hasBody: return refuse(refusal)
            case .accept, .refuse:
                state = .upgrading(whole)
                return .none
            }
        }
        if let route = route(head) { return forward(head, route, hasBody: hasBody) }
        if let length = fields.first(name: "content-length"), Int(length) ?? .max > bodies.limit(head.uri) {
            return refuse(bodies.refusal(head.uri))
        }
        // The decoder reads nothing behind a request that asks for an upgrade, whatever the protocol.
        let stopsDecoder = fields.contains(name: "upgrade") || head.method == .CONNECT
        state = .receiving(head, body: ByteBuffer(), keepsAlive: head.isKeepAlive && !stopsDecoder)
        guard hasBody else { return .none }
        return .awaitBody(continues: fields.first(name: "expect")?.lowercased() == "100-continue")
    }

    private func route(_ head: HTTPRequestHead) -> Route? {
        guard !routes.isEmpty, head.method != .CONNECT else { return nil }
        return routes.route(RequestHead(method: "", target: head.uri, minorVersion: 1, fields: []).path)
    }

    private mutating func forward(_ head: HTTPRequestHead, _ route: Route, hasBody: Bool) -> Action {
        let fields = head.headers
        let codings = fields[canonicalForm: "transfer-encoding"]
        guard codings.isEmpty || codings.count == 1 && codings[0].lowercased() == "chunked" else {
            return refuse(.transferCoding)
        }
        guard ForwardedFields.isHostSound(fields["host"], target: head.uri) else { return refuse(.unsoundHost) }
        let length = fields.first(name: "content-length").map { Int($0) ?? .max } ?? 0
        guard route.settings.maxBody == 0 || length <= route.settings.maxBody else {
            return refuse(.routeBodyTooLarge(route))
        }
        // The decoder reads nothing behind a request that asks for an upgrade, whatever the protocol.
        let stopsDecoder = fields.contains(name: "upgrade")
        // Where both stand it may be an attempt to smuggle a request; HTTP/1.0 knows no codings (RFC 9112 section 6.1).
        let isDoubtful = !codings.isEmpty && (fields.contains(name: "content-length") || head.version == .http1_0)
        state = .forwarding(
            route, received: 0, isWhole: false, keepsAlive: head.isKeepAlive && !stopsDecoder && !isDoubtful)
        return .forward(head, route)
    }

    private mutating func abandon(_ refusal: HTTPRefusal) -> Action {
        state = .ended
        return .abandon(refusal)
    }

    private mutating func refuse(_ refusal: HTTPRefusal) -> Action {
        state = .ended
        return .refuse(refusal)
    }
}

extension RequestHead {
    init(_ head: HTTPRequestHead) {
        self.init(
            method: head.method.rawValue,
            target: head.uri,
            minorVersion: UInt8(clamping: head.version.minor),
            fields: head.headers.map { HTTPField($0.name, $0.value) }
        )
    }
}

extension HTTPRefusal {
    static let bodyTooLarge = HTTPRefusal(
        status: 413,
        sentence: "The body of the request is larger than \(HTTPLimits.maxBody) bytes."
    )

    /// The same in the words of the backend's API.
    static func backendBodyTooLarge(_ limit: Int) -> HTTPRefusal {
        let error = BackendError(.tooLarge, "The body is larger than api.maxBody (\(limit) bytes)")
        return HTTPRefusal(
            status: error.code.status, sentence: String(buffer: BackendHTTP.encode(.failure(error)).body),
            fields: [HTTPField("Content-Type", "application/json")])
    }
}
