import Logging
import Model
import NIOCore
import NIOEmbedded
import WebSocketProtocol
import Wire

@testable import Worker

/// An engine on a virtual loop with a virtual clock, and clients in memory.
final class WorkerHarness {
    let loop = EmbeddedEventLoop()
    let engine: WorkerEngine
    let time: Time

    final class Time {
        var now = MonotonicTime(nanoseconds: 1_000_000_000_000)
    }

    /// - Parameter application: behind the webhooks.
    init(
        application: Application = Application(), tls: TLSPair? = nil, listeners: [ListenAddress] = [],
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        _ change: (inout WsdConfiguration) -> Void = { _ in }
    ) {
        var configuration = WsdConfiguration()
        change(&configuration)
        let child = ChildConfiguration(
            slot: .worker(1), instance: InstanceID(rawValue: 1), configuration: configuration, hubSocket: "/nowhere",
            listeners: listeners, serviceStartedAt: 0)
        let time = Time()
        self.time = time
        var parts = WorkerEngine.Parts()
        parts.application = application
        parts.tls = tls
        parts.wallTime = { Double(time.now.nanoseconds) / 1e9 }
        engine = WorkerEngine(
            child: child, boot: BootID(rawValue: 7), eventLoop: loop, logger: logger, parts: parts,
            clock: { time.now })
    }

    /// A socket that was just accepted.
    func accept(_ kind: ListenerKind = .plain) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(loop: loop)
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 5000)).wait()
        try engine.admit(channel, from: kind)
        return channel
    }

    func request(_ path: String = "/ws", _ extra: String = "") -> ByteBuffer {
        ByteBuffer(
            string: "GET \(path) HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\(extra)\r\n")
    }

    /// A client whose handshake is done and whose greeting was read.
    func client(_ path: String = "/ws", _ extra: String = "") throws -> EmbeddedChannel {
        let channel = try accept()
        try channel.writeInbound(request(path, extra))
        loop.run()
        _ = try channel.readOutbound(as: ByteBuffer.self)
        return channel
    }

    func handler(_ channel: EmbeddedChannel) throws -> ConnectionHandler {
        try channel.pipeline.syncOperations.handler(type: ConnectionHandler.self)
    }

    func send(_ text: String, to channel: EmbeddedChannel) throws {
        try channel.writeInbound(Frames.client(text))
    }

    /// Lets time pass in steps of the worker's tick.
    func advance(_ duration: Duration) {
        let end = time.now + duration
        while time.now < end {
            time.now += IdleWheel<ConnectionKey>.tick
            engine.tick()
            loop.run()
        }
    }

    /// The hub delivers a publication.
    func deliver(_ room: String, _ data: String, sequence: UInt64, from subject: ClientID? = nil) {
        let delivery = HubDelivery(
            origin: BootID(rawValue: 99), sequence: sequence, kind: .message,
            subject: subject ?? ClientID(boot: BootID(rawValue: 99), serial: 1), room: RoomName(room))
        engine.deliver(delivery, payload: ByteBuffer(string: data))
    }
}

extension EmbeddedChannel {
    /// All bytes of each write so far, one element a write.
    func writes() throws -> [ByteBuffer] {
        var all: [ByteBuffer] = []
        while let next = try readOutbound(as: ByteBuffer.self) { all.append(next) }
        return all
    }

    /// Texts of all frames written so far; other frames by their opcode.
    func frames() throws -> [String] {
        try writes().flatMap { Frames.read($0) }
    }
}

enum Frames {
    static func client(_ text: String) -> ByteBuffer {
        var out = ByteBuffer()
        write(.text, ByteBuffer(string: text), into: &out)
        return out
    }

    static func write(_ opcode: Opcode, _ payload: ByteBuffer, into out: inout ByteBuffer) {
        FrameWriter.write(opcode, payload, maskingKey: 0x0102_0304, into: &out)
    }

    static func close(_ code: UInt16) -> ByteBuffer {
        var (payload, out) = (ByteBuffer(), ByteBuffer())
        payload.writeInteger(code)
        write(.close, payload, into: &out)
        return out
    }

    static func read(_ bytes: ByteBuffer) -> [String] {
        var reader = WebSocketConnection(role: .client, limits: WebSocketLimits(maxMessageSize: 1 << 24))
        reader.receive(bytes)
        var result: [String] = []
        while let event = reader.next() {
            switch event {
            case .message(_, let payload): result.append(String(buffer: payload))
            case .ping: result.append("<ping>")
            case .pong(let payload): result.append("<pong \(String(buffer: payload))>")
            case .close(let code, let reason): result.append("<close \(code?.rawValue ?? 0) \(reason)>")
            case .failed(_, let reason): result.append("<failed \(reason)>")
            }
        }
        return result
    }
}
