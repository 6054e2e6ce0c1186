import Model
import NIOCore
import NIOEmbedded
import Wire

@testable import Hub

/// A worker's end of a link to the server under test.
final class TestWorker {
    let boot: BootID
    let room = RoomName("r")
    let channel: EmbeddedChannel
    let gate = WriteGate()
    private var decoder = HubLinkDecoder(maxPayload: 1 << 20)

    init(boot: UInt64, server: HubServer, loop: EmbeddedEventLoop) throws {
        self.boot = BootID(rawValue: boot)
        channel = EmbeddedChannel(loop: loop)
        try channel.pipeline.syncOperations.addHandlers([gate, HubLinkHandler(server: server)])
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/hub")).wait()
    }

    func send(_ write: (inout ByteBuffer) -> Void) throws {
        var buffer = ByteBuffer()
        write(&buffer)
        try channel.writeInbound(buffer)
    }

    /// Says hello and hands over a snapshot; `members` of the room `r`.
    func register(
        members: [UInt64], replayThrough: UInt64, clients: [UInt64: ClientRegistration] = [:],
        positions: [RoomName: RoomPosition] = [:]
    ) throws {
        try send { buffer in
            HubLinkEncoder.hello(boot: boot, slot: 1, into: &buffer)
            for (client, registration) in clients { HubLinkEncoder.client(client, registration, into: &buffer) }
            HubLinkEncoder.register(room: room, clients: members, into: &buffer)
            for (room, position) in positions { HubLinkEncoder.position(room: room, position, into: &buffer) }
            HubLinkEncoder.snapshotEnd(replayThrough: replayThrough, into: &buffer)
        }
    }

    func write(
        _ sequence: UInt64, _ client: UInt64, _ request: HubRequest, _ data: String = "", wantsReply: Bool = false,
        _ buffer: inout ByteBuffer
    ) {
        var operation = HubOperation(sequence: sequence, client: client, request: request)
        operation.wantsReply = wantsReply
        HubLinkEncoder.operation(operation, payload: ByteBuffer(string: data).readableBytesView, into: &buffer)
    }

    func ask(_ sequence: UInt64, _ client: UInt64, _ request: HubRequest, _ data: String = "") throws {
        try send { write(sequence, client, request, data, wantsReply: true, &$0) }
    }

    func writePublish(_ sequence: UInt64, _ client: UInt64, _ data: String, _ buffer: inout ByteBuffer) {
        write(sequence, client, .publish(room, nil, includesSender: false), data, &buffer)
    }

    func publish(sequence: UInt64, client: UInt64, _ data: String) throws {
        try send { writePublish(sequence, client, data, &$0) }
    }

    /// All frames since the last call.
    func frames() throws -> [HubFrame] {
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { decoder.append(bytes) }
        var frames: [HubFrame] = []
        while let frame = try decoder.nextHubFrame() { frames.append(frame) }
        return frames
    }

    /// Data of the publications since the last call; with the offset where the room has history: `7:"data"`.
    func payloads() throws -> [String] { Self.payloads(try frames()) }

    static func payloads(_ frames: [HubFrame]) -> [String] {
        frames.compactMap { frame in
            guard case .delivery(let delivery, let payload) = frame, delivery.kind == .message else { return nil }
            return (delivery.position.map { "\($0.offset):" } ?? "") + String(buffer: payload)
        }
    }

    /// Replies since the last call, by the sequence of what they answer.
    func replies() throws -> [UInt64: HubReply] {
        var replies: [UInt64: HubReply] = [:]
        for case .reply(let sequence, let reply) in try frames() { replies[sequence] = reply }
        return replies
    }

    /// Announcements among frames.
    func presence(_ frames: [HubFrame]) throws -> [String] {
        frames.compactMap { frame in
            guard case .delivery(let delivery, _) = frame else { return nil }
            switch delivery.kind {
            case .userJoined: return "joined \(delivery.subject.serial)"
            case .userLeft: return "left \(delivery.subject.serial)"
            case .message, .broadcast, .typingStarted, .typingStopped, .read, .direct: return nil
            }
        }
    }
}

/// Stands for the socket: while held, it takes nothing.
final class WriteGate: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    var isHeld = false
    /// Flushes that carried something.
    private(set) var writes = 0
    private var held: [(NIOAny, EventLoopPromise<Void>?)] = []
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        for (_, promise) in held { promise?.fail(ChannelError.ioOnClosedChannel) }
        held = []
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        held.append((data, promise))
    }

    func flush(context: ChannelHandlerContext) {
        guard !isHeld, !held.isEmpty else { return }
        writes += 1
        let taken = held
        held = []
        for (data, promise) in taken { context.write(data, promise: promise) }
        context.flush()
    }

    func release() {
        isHeld = false
        if let context { flush(context: context) }
    }
}
