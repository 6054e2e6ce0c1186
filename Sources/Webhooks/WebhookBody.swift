import Model
import NIOCore
import Wire

/// The JSON that hooks are called with. Members without a value are left out.
struct WebhookBody {
    private(set) var bytes: ByteBuffer

    /// - Parameter capacity: bytes expected beside the usual.
    private init(_ kind: WebhookKind, capacity: Int = 0) {
        bytes = ByteBufferAllocator().buffer(capacity: 256 + capacity)
        bytes.writeStaticString("{\"event\":\"")
        bytes.writeString(kind.rawValue)
        bytes.writeStaticString("\"")
    }

    static func encode(_ call: WebhookCall) -> ByteBuffer {
        switch call {
        case .connect(let connect):
            return encode(connect)
        case .join(let client, let user, let room):
            var body = WebhookBody(.join)
            body.write(client, user)
            body.write("room", room.text)
            return body.finished()
        case .publish(let client, let user, let room, let messageID, let data):
            var body = WebhookBody(.publish, capacity: data.readableBytes)
            body.write(client, user)
            body.write("room", room.text)
            body.write("messageId", messageID?.text)
            body.writeRaw("data", data)
            return body.finished()
        case .rpc(let client, let user, let type, let data):
            var body = WebhookBody(.rpc, capacity: data.readableBytes)
            body.write(client, user)
            body.write("type", type)
            body.writeRaw("data", data)
            return body.finished()
        }
    }

    static func encode(_ event: WebhookEvent) -> ByteBuffer {
        var body = WebhookBody(event.kind)
        switch event {
        case .disconnect(let client, let user): body.write(client, user)
        case .roomEmpty(let room): body.write("room", room.text)
        }
        return body.finished()
    }

    private static func encode(_ connect: WebhookConnect) -> ByteBuffer {
        var body = WebhookBody(.connect, capacity: 1024)
        body.write(connect.client, connect.user)
        body.write("dialect", connect.dialect)
        body.write("address", connect.address)
        body.write("path", connect.path)
        body.write("query", connect.query)
        body.write("origin", connect.origin)
        body.write("userAgent", connect.userAgent)
        body.write("token", connect.token)
        if let certificate = connect.certificate {
            var shown = ByteBuffer()
            shown.writeStaticString("{")
            Self.member("subject", certificate.subject, isFirst: true, into: &shown)
            Self.member("sha256", certificate.sha256, isFirst: false, into: &shown)
            shown.writeStaticString("}")
            body.writeRaw("certificate", shown)
        }
        if connect.cookie != nil || connect.authorization != nil {
            var headers = ByteBuffer()
            headers.writeStaticString("{")
            if let cookie = connect.cookie { Self.member("cookie", cookie, isFirst: true, into: &headers) }
            if let authorization = connect.authorization {
                Self.member("authorization", authorization, isFirst: connect.cookie == nil, into: &headers)
            }
            headers.writeStaticString("}")
            body.writeRaw("headers", headers)
        }
        return body.finished()
    }

    private mutating func write(_ client: ClientID, _ user: UserName?) {
        write("client", client.description)
        write("user", user?.text)
    }

    private mutating func write(_ key: StaticString, _ value: String?) {
        guard let value else { return }
        Self.member(key, value, isFirst: false, into: &bytes)
    }

    /// Nothing where `json` is empty.
    private mutating func writeRaw(_ key: StaticString, _ json: ByteBuffer) {
        guard json.readableBytes > 0 else { return }
        bytes.writeStaticString(",\"")
        bytes.writeStaticString(key)
        bytes.writeStaticString("\":")
        bytes.writeImmutableBuffer(json)
    }

    private static func member(_ key: StaticString, _ value: String, isFirst: Bool, into out: inout ByteBuffer) {
        if !isFirst { out.writeStaticString(",") }
        out.writeStaticString("\"")
        out.writeStaticString(key)
        out.writeStaticString("\":")
        JSONWriter.writeString(value, into: &out)
    }

    private consuming func finished() -> ByteBuffer {
        bytes.writeStaticString("}")
        return bytes
    }
}
