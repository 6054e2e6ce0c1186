import Model
import NIOCore
import NIOEmbedded
import Wire

@testable import Hub

/// A worker's end of a link to the server under test.
final class TestWorker {
    let boot: BootID
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

    func register(members: [UInt64], replayThrough: UInt64) throws {
        try send { buffer in
            HubLinkEncoder.hello(boot: boot, slot: 1, into: &buffer)
            HubLinkEncoder.register(room: RoomName("r"), clients: members, into: &buffer)
            HubLinkEncoder.snapshotEnd(replayThrough: replayThrough, into: &buffer)
        }
    }

    func writePublish(_ sequence: UInt64, _ client: UInt64, _ data: String, _ buffer: inout ByteBuffer) {
        HubLinkEncoder.operation(
            sequence: sequence, kind: .publish, client: client, room: RoomName("r"),
            payload: ByteBuffer(string: data).readableBytesView, into: &buffer)
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

    /// Data of the publications since the last call.
    func payloads() throws -> [String] {
        try frames().compactMap { frame in
            guard case .delivery(let delivery) = frame, delivery.delivery.kind == .message else { return nil }
            return String(buffer: delivery.payload)
        }
    }

    /// Announcements among frames.
    func presence(_ frames: [HubFrame]) throws -> [String] {
        frames.compactMap { frame in
            guard case .delivery(let delivery) = frame else { return nil }
            switch delivery.delivery.kind {
            case .userJoined: return "joined \(delivery.delivery.subject.serial)"
            case .userLeft: return "left \(delivery.delivery.subject.serial)"
            case .message, .broadcast: return nil
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
