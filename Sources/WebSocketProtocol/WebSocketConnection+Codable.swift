import Model
import NIOCore

extension WebSocketConnection: Codable {
    private enum CodingKeys: String, CodingKey {
        case unread, assembled, maxMessageSize, maxFragments, fragments, utf8, kind, role, ending, isCompressed, deflate
    }

    package func encode(to encoder: any Encoder) throws {
        var unread = partial
        unread.writeImmutableBuffer(input)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(unread, forKey: .unread)
        try container.encode(assembled, forKey: .assembled)
        try container.encode(maxMessageSize, forKey: .maxMessageSize)
        try container.encode(maxFragments, forKey: .maxFragments)
        try container.encode(fragments, forKey: .fragments)
        try container.encode(utf8, forKey: .utf8)
        try container.encodeIfPresent(kind, forKey: .kind)
        try container.encode(role, forKey: .role)
        try container.encode(ending, forKey: .ending)
        try container.encode(isCompressed, forKey: .isCompressed)
        try container.encodeIfPresent(deflate?.snapshot, forKey: .deflate)
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        input = try container.decode(ByteBuffer.self, forKey: .unread)
        assembled = try container.decode(ByteBuffer.self, forKey: .assembled)
        maxMessageSize = try container.decode(UInt32.self, forKey: .maxMessageSize)
        maxFragments = try container.decode(UInt32.self, forKey: .maxFragments)
        fragments = try container.decode(UInt32.self, forKey: .fragments)
        utf8 = try container.decode(UTF8Validator.self, forKey: .utf8)
        kind = try container.decodeIfPresent(MessageKind.self, forKey: .kind)
        role = try container.decode(WebSocketRole.self, forKey: .role)
        ending = try container.decode(Ending.self, forKey: .ending)
        // Absent from what a version without compression has written.
        isCompressed = try container.decodeIfPresent(Bool.self, forKey: .isCompressed) ?? false
        let role = role
        deflate = try container.decodeIfPresent(DeflateContext.Snapshot.self, forKey: .deflate)
            .map { DeflateContext($0, role: role) }
    }
}
