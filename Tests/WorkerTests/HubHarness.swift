import Model
import NIOCore
import NIOEmbedded
import Realtime
import Webhooks
import Wire

@testable import Worker

/// The test plays the hub: it takes operations and answers.
extension WorkerHarness {
    /// A client of `wsd.v1.json` whose greeting was read.
    func v1(_ extra: String = "") throws -> EmbeddedChannel {
        try client("/ws", "Sec-WebSocket-Protocol: wsd.v1.json\r\n" + extra)
    }

    func connectHub() {
        _ = engine.realtime.beginLink()
        _ = engine.realtime.welcomed(isLate: false)
    }

    struct Taken {
        var operation: HubOperation
        var data: String

        var sequence: UInt64 { operation.sequence }
        var request: HubRequest { operation.request }
    }

    /// What was given to the hub since the last call.
    func operations() throws -> [Taken] {
        var bytes = ByteBuffer()
        engine.realtime.takeUnsent { bytes.writeImmutableBuffer($0) }
        var decoder = HubLinkDecoder(maxPayload: 1 << 20)
        decoder.append(bytes)
        var taken: [Taken] = []
        while let frame = try decoder.nextWorkerFrame() {
            guard case .operation(let operation, let payload) = frame else { continue }
            taken.append(Taken(operation: operation, data: String(buffer: payload)))
        }
        return taken
    }

    func reply(_ sequence: UInt64, _ reply: HubReply) {
        engine.turnBegan()
        engine.replied(sequence, reply)
        engine.acknowledged(sequence, settled: sequence)
    }

    func acknowledge(_ sequence: UInt64) {
        engine.turnBegan()
        engine.acknowledged(sequence, settled: sequence)
    }

    /// Lets a client join a room without history.
    func join(_ room: String, _ channel: EmbeddedChannel, position: RoomPosition? = nil) throws {
        try send(#"{"type":"join","room":"\#(room)"}"#, to: channel)
        var result = JoinResult(room: RoomName(room))
        result.position = position
        for taken in try operations() {
            if case .join = taken.request {
                reply(taken.sequence, .joined(result))
            } else {
                acknowledge(taken.sequence)
            }
        }
        loop.run()
        _ = try channel.frames()
    }

    /// A message of a room with history.
    func deliver(_ room: String, _ data: String, at position: RoomPosition) {
        var delivery = HubDelivery(
            origin: BootID(rawValue: 99), sequence: 1, kind: .message,
            subject: ClientID(boot: BootID(rawValue: 99), serial: 1), room: RoomName(room))
        delivery.position = position
        delivery.includesSubject = true
        engine.deliver(delivery, payload: ByteBuffer(string: data))
    }
}

/// An application that answers when the test lets it.
final class FakeApplication {
    var calls: [(call: WebhookCall, completion: (WebhookOutcome) -> Void)] = []
    var events: [WebhookEvent] = []

    func application(_ hooks: Set<WebhookKind>) -> Application {
        var application = Application()
        application.hooks = hooks
        application.ask = { self.calls.append(($0, $1)) }
        application.tell = { self.events.append($0) }
        return application
    }

    func answer(_ outcome: WebhookOutcome) {
        calls.removeFirst().completion(outcome)
    }

    func answer(data: String? = nil, user: String? = nil) {
        var answer = WebhookAnswer()
        answer.data = data.map { ByteBuffer(string: $0) }
        answer.user = user.map { UserName($0) }
        self.answer(.answered(answer))
    }
}

extension HistoryEntry {
    init(_ offset: UInt64, _ data: String) {
        self.init(
            offset: offset, time: 1, subject: ClientID(boot: BootID(rawValue: 99), serial: 1), data: Array(data.utf8))
    }
}
