import ControlClient
import NIOCore
import NIOHTTP1
import Synchronization
import WebAssets
import Wire

/// One connection of a browser: request after request.
struct DashboardConversation: Sendable {
    let server: DashboardServer
    let client: ControlClient
    let channel: any Channel
    private let call = CallInProgress()

    init(server: DashboardServer, client: ControlClient, channel: any Channel) {
        self.server = server
        self.client = client
        self.channel = channel
        // However long an answer is, it ends when the browser goes.
        channel.closeFuture.whenComplete { [call] _ in call.end() }
    }

    private struct Received {
        var head: HTTPRequestHead
        var body: [UInt8] = []
        var isTooLong = false
    }

    func run(_ inbound: NIOAsyncChannelInboundStream<HTTPServerRequestPart>) async throws {
        var parts = inbound.makeAsyncIterator()
        while let request = try await next(&parts) {
            guard try await answer(request), request.head.mayBeFollowed else { return }
        }
    }

    /// `nil`: the browser has closed the connection.
    private func next(
        _ parts: inout NIOAsyncChannelInboundStream<HTTPServerRequestPart>.AsyncIterator
    ) async throws -> Received? {
        let timer = channel.eventLoop.scheduleTask(in: DashboardLimits.requestTimeout) { [channel] in
            channel.close(promise: nil)
        }
        defer { timer.cancel() }
        var request: Received?
        while let part = try await parts.next() {
            switch part {
            case .head(let head): request = Received(head: head)
            case .body(let piece):
                let room = DashboardCall.maxBody - (request?.body.count ?? 0)
                if piece.readableBytes > room { request?.isTooLong = true }
                request?.body += piece.readableBytesView.prefix(max(0, room))
            case .end: return request
            }
        }
        return nil
    }

    /// Returns whether the connection goes on.
    private func answer(_ request: Received) async throws -> Bool {
        let head = request.head
        let isForScript = head.uri.hasPrefix("/api/")
        guard !request.isTooLong else {
            let limit = DashboardCall.maxBody
            try await write(
                .of(.init(413, "bad_request", "The body has more than \(limit) bytes."), isForScript), to: head)
            return true
        }
        switch server.decide(DashboardGate.Request(head)) {
        case .enter(let cookie): try await write(.entry(cookie), to: head)
        case .document: try await write(.document, to: head)
        case .asset(let asset): try await write(.asset(asset), to: head)
        case .session(let csrf): try await write(.session(csrf), to: head)
        case .refuse(let refusal): try await write(.of(refusal, isForScript), to: head)
        case .call(let call):
            let task = Task { try await pass(call, request.body, head) }
            self.call.begin(task)
            return try await task.value
        }
        return true
    }

    private func write(_ answer: DashboardAnswer, to request: HTTPRequestHead) async throws {
        var head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: answer.fields)
        if !request.mayBeFollowed { head.headers.add(name: "Connection", value: "close") }
        try await send(.head(head))
        if request.method != .HEAD, !answer.body.isEmpty {
            try await send(.body(.byteBuffer(ByteBuffer(bytes: answer.body))))
        }
        try await send(.end(nil))
    }

    /// Returns once the kernel has taken it, so that no more than one part waits here. `NIOAsyncChannelOutboundWriter` waits
    /// only while the channel is known not to be writable: what is quicker than the event loop piles up in that one's queue.
    private func send(_ part: HTTPServerResponsePart) async throws {
        try await channel.eventLoop.flatSubmit { [channel] in
            let timer = channel.eventLoop.scheduleTask(in: DashboardLimits.writeTimeout) {
                channel.close(promise: nil)
            }
            return channel.writeAndFlush(part).always { _ in timer.cancel() }
        }.get()
    }

    /// Makes the call on the control socket and hands on what comes, at the browser's pace.
    private func pass(_ call: DashboardCall, _ body: [UInt8], _ head: HTTPRequestHead) async throws -> Bool {
        let request = ControlRequest(
            call.isChange ? .post : .get, call.path, query: call.query.map { ($0.name, $0.value) },
            body: call.takesBody ? body : nil)
        var hasBegun = false
        do {
            try await client.pieces(request) { type in
                hasBegun = true
                var fields = DashboardAnswer.commonFields(type: type ?? "application/json")
                if !head.mayBeFollowed { fields.add(name: "Connection", value: "close") }
                // Chunked, or in HTTP/1.0 until the connection ends (RFC 9112 section 6.3).
                try await send(.head(HTTPResponseHead(version: head.version, status: .ok, headers: fields)))
            } _: { piece in
                try await send(.body(.byteBuffer(piece)))
            }
            try await send(.end(nil))
            return true
        } catch let error as ControlClientError {
            // In the middle of an answer only its breaking off tells that it is not whole.
            guard !hasBegun else { return false }
            try await write(.of(error), to: head)
            return true
        }
    }
}

extension HTTPRequestHead {
    /// Whether another request may come behind this one. The decoder reads nothing behind one that asks for another protocol,
    /// and an answer of unknown length ends in HTTP/1.0 with the connection.
    fileprivate var mayBeFollowed: Bool {
        version == .http1_1 && isKeepAlive && method != .CONNECT && !headers.contains(name: "upgrade")
    }
}

extension DashboardGate.Request {
    init(_ head: HTTPRequestHead) {
        self.init()
        method = head.method.rawValue
        target = head.uri
        hosts = head.headers["host"]
        origins = head.headers["origin"]
        fetchSite = head.headers.first(name: "sec-fetch-site")
        cookies = head.headers["cookie"]
        contentType = head.headers.first(name: "content-type")
        csrf = head.headers.first(name: DashboardGate.csrfField)
    }
}

/// The call that a connection waits for, so that it can be ended.
private final class CallInProgress: Sendable {
    private struct State {
        var task: Task<Bool, any Error>?
        var hasEnded = false
    }

    private let state = Mutex(State())

    func begin(_ task: Task<Bool, any Error>) {
        let hasEnded = state.withLock { state in
            state.task = task
            return state.hasEnded
        }
        if hasEnded { task.cancel() }
    }

    func end() {
        state.withLock { state in
            state.hasEnded = true
            return state.task
        }?.cancel()
    }
}
