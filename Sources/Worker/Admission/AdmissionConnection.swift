import Model

/// What ``Admission`` tells a connection, all on the event loop. Any of it may come from within a call of
/// ``Admission/begin(_:)`` or ``Admission/authenticate(token:serial:)``.
///
/// A connection between ``Admission/begin(_:)`` and ``admitted(_:isAuthenticated:)`` reads nothing and has said nothing.
protocol AdmissionConnection: AnyObject {
    /// The connection may begin: greet, make it a member of the identity's rooms, read. Once.
    ///
    /// Not authenticated where `auth.required`: nothing but `auth` may be asked; ``Admission`` watches the time for it.
    func admitted(_ identity: ClientIdentity, isAuthenticated: Bool)

    /// An `auth` was accepted. `isRefresh`: the same user had been authenticated before. Greet again, then reply.
    func authenticated(_ identity: ClientIdentity, isRefresh: Bool)

    /// An `auth` was not accepted: reply that. ``rejected(_:reason:)`` follows where the connection has to end.
    func authenticationRefused(_ refusal: ClientRefusal)

    /// The identity is about to end: tell the client to refresh it. Once for each identity that ends.
    func identityExpiring(in time: Duration)

    /// Close with this code. Nothing more comes for this connection. Before ``admitted(_:isAuthenticated:)``, too.
    func rejected(_ code: CloseCode, reason: String)
}

/// A connection whose handshake was accepted, as far as admission needs to know it.
struct AdmissionRequest {
    var connection: any AdmissionConnection
    var client: ClientID
    var session: SessionID
    /// `simple` or `wsd.v1.json`; what the connect webhook is told.
    var dialect: String
    /// Of the client; `unix` where it has none.
    var address: String
    /// What the limits count by: ``AddressKey/text(of:)``.
    var addressKey: String
    var path: String
    var credentials: HandshakeCredentials
}
