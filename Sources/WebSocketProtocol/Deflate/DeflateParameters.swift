/// What both sides of a connection have agreed on for permessage-deflate (RFC 7692 section 7.1).
package struct DeflateParameters: Hashable, Sendable, Codable {
    /// The server may refer to its earlier messages.
    package var serverContextTakeover: Bool
    /// The client may refer to its earlier messages.
    package var clientContextTakeover: Bool
    /// Base-2 logarithm of the window of what the server sends; 9…15 where the server is zlib.
    package var serverWindowBits: UInt8
    /// Base-2 logarithm of the window of what the client sends; 8…15.
    package var clientWindowBits: UInt8

    package init(
        serverContextTakeover: Bool = true,
        clientContextTakeover: Bool = true,
        serverWindowBits: UInt8 = 15,
        clientWindowBits: UInt8 = 15
    ) {
        self.serverContextTakeover = serverContextTakeover
        self.clientContextTakeover = clientContextTakeover
        self.serverWindowBits = serverWindowBits
        self.clientWindowBits = clientWindowBits
    }

    /// Window bits a peer may name.
    static let windowBits: ClosedRange<UInt8> = 8...15
    /// Window bits zlib makes raw DEFLATE of. It refuses 8 (deflateInit2 in zlib.h).
    static let sendableWindowBits: ClosedRange<UInt8> = 9...15

    /// What holds for the messages of one side.
    struct Direction: Hashable {
        var contextTakeover: Bool
        var windowBits: UInt8
    }

    func direction(from role: WebSocketRole) -> Direction {
        switch role {
        case .server: Direction(contextTakeover: serverContextTakeover, windowBits: serverWindowBits)
        case .client: Direction(contextTakeover: clientContextTakeover, windowBits: clientWindowBits)
        }
    }
}

/// What ``HandshakeOffer/agreeOnDeflate(_:)`` has come to.
package struct DeflateAgreement: Equatable, Sendable {
    package var parameters: DeflateParameters
    /// The value of `Sec-WebSocket-Extensions` in the response.
    package var response: String
}
