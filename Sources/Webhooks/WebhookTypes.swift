import Model
import NIOCore
import Wire

/// The six hooks. Raw values are the event names on the wire (`Wsd-Event`) and in the statistics.
package enum WebhookKind: String, Hashable, Sendable, CaseIterable {
    case connect
    case join
    case publish
    case rpc
    case disconnect
    case roomEmpty

    /// An event: nobody waits for its answer.
    package var isEvent: Bool { self == .disconnect || self == .roomEmpty }
}

/// What the application is asked. `data` goes as the bytes it is (JSON text).
package enum WebhookCall: Sendable {
    case connect(WebhookConnect)
    case join(client: ClientID, user: UserName?, room: RoomName)
    case publish(client: ClientID, user: UserName?, room: RoomName, messageID: MessageID?, data: ByteBuffer)
    /// `data` empty: the client sent none.
    case rpc(client: ClientID, user: UserName?, type: String, data: ByteBuffer)

    package var kind: WebhookKind {
        switch self {
        case .connect: .connect
        case .join: .join
        case .publish: .publish
        case .rpc: .rpc
        }
    }
}

/// What a connect webhook is told.
package struct WebhookConnect: Sendable {
    package var client: ClientID
    package var dialect: String
    package var address: String
    package var path: String
    package var origin: String?
    package var userAgent: String?
    package var query: String?
    package var cookie: String?
    package var authorization: String?
    /// Whom a checked token names.
    package var user: UserName?
    /// A token that no configured key checks: the application's own.
    package var token: String?
    /// Shown at the TLS handshake, and found good.
    package var certificate: ClientCertificate?

    package init(client: ClientID, dialect: String, address: String, path: String) {
        self.client = client
        self.dialect = dialect
        self.address = address
        self.path = path
    }
}

/// What the application is told.
package enum WebhookEvent: Sendable {
    case disconnect(client: ClientID, user: UserName?)
    case roomEmpty(RoomName)

    package var kind: WebhookKind {
        switch self {
        case .disconnect: .disconnect
        case .roomEmpty: .roomEmpty
        }
    }
}

/// What the application said yes with. Which members count depends on the hook.
package struct WebhookAnswer: Equatable, Sendable {
    /// connect: who the client is.
    package var user: UserName?
    /// connect: JSON text that others see.
    package var info: String?
    /// connect: made a member at once.
    package var rooms: [RoomName] = []
    /// connect
    package var grants: [RoomGrant] = []
    /// connect: seconds since 1970.
    package var expiresAt: Double?
    /// connect: for the client; publish: instead of what was sent; rpc: the answer. JSON text as it came.
    package var data: ByteBuffer?

    package init() {}
}

/// How a call ended.
package enum WebhookOutcome: Equatable, Sendable {
    case answered(WebhookAnswer)
    /// The application said no; `message` is for the client. `code`: a close code (3000…4999) for a refused connect.
    case refused(message: String?, code: CloseCode?)
    /// It gave no usable answer; what happens then is configured.
    case failed(WebhookFailurePolicy)
}
