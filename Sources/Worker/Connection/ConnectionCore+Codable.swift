import Model
import NIOCore
import Realtime
import WebSocketProtocol
import Wire

extension ConnectionCore: Codable {
    private enum CodingKeys: String, CodingKey {
        case purpose, id, session, outbound, webSocket, phase, since, isSuspended, marks, batch, takenOfBatch, identity
        case farewell
    }

    /// The session's figures stay behind: its successor counts anew, and finds out anew what ``identity`` may do.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(purpose, forKey: .purpose)
        try container.encode(session.id, forKey: .id)
        try container.encode(session.session, forKey: .session)
        try container.encode(outbound, forKey: .outbound)
        try container.encode(webSocket, forKey: .webSocket)
        try container.encode(phase, forKey: .phase)
        try container.encode(since, forKey: .since)
        try container.encode(isSuspended, forKey: .isSuspended)
        try container.encode(marks, forKey: .marks)
        try container.encodeIfPresent(batch?.frame, forKey: .batch)
        try container.encode(takenOfBatch, forKey: .takenOfBatch)
        try container.encodeIfPresent(identity?.value, forKey: .identity)
        try container.encodeIfPresent(farewell, forKey: .farewell)
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        purpose = try container.decode(Purpose.self, forKey: .purpose)
        since = try container.decode(MonotonicTime.self, forKey: .since)
        session = ClientSession(
            id: try container.decode(ClientID.self, forKey: .id),
            session: try container.decode(SessionID.self, forKey: .session), now: since)
        outbound = try container.decode(ByteBuffer.self, forKey: .outbound)
        webSocket = try container.decode(WebSocketConnection.self, forKey: .webSocket)
        isDeflating = webSocket.deflateParameters != nil
        phase = try container.decode(Phase.self, forKey: .phase)
        isSuspended = try container.decode(Bool.self, forKey: .isSuspended)
        marks = try container.decode(Marks.self, forKey: .marks)
        takenOfBatch = try container.decode(UInt8.self, forKey: .takenOfBatch)
        identity = try container.decodeIfPresent(ClientIdentity.self, forKey: .identity).map(Identity.init)
        farewell = try container.decodeIfPresent(CloseCode.self, forKey: .farewell)
        guard let frame = try container.decodeIfPresent(ByteBuffer.self, forKey: .batch) else { return }
        var messages: [Result<DialectMessage, DialectError>] = []
        // The names in it were short enough when they came.
        V1Dialect.decode(frame, maxRoomLength: frame.readableBytes) { messages.append($0) }
        // The first of a frame never waits here.
        batch = Batch(frame: frame, messages: Array(messages.dropFirst()))
    }
}
