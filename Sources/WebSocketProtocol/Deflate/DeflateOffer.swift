import Model

/// One `permessage-deflate` element of `Sec-WebSocket-Extensions`, an offer or a response (RFC 7692 section 7.1).
struct DeflateOffer: Equatable, Sendable {
    static let name = "permessage-deflate"

    enum ClientWindow: Equatable, Sendable {
        /// The client lets the server choose.
        case anyBits
        case bits(UInt8)
    }

    var serverNoContextTakeover = false
    var clientNoContextTakeover = false
    var serverMaxWindowBits: UInt8?
    /// `nil`: the client does not know the parameter, and must not be told a value.
    var clientMaxWindowBits: ClientWindow?

    init() {}

    /// `nil` where a parameter is unknown, doubled, or has a value it may not have: such an offer is declined, such a
    /// response ends the connection.
    init?(_ element: ExtensionElement) {
        guard element.name == Self.name else { return nil }
        for parameter in element.parameters {
            switch (parameter.name, parameter.value) {
            case ("server_no_context_takeover", nil) where !serverNoContextTakeover:
                serverNoContextTakeover = true
            case ("client_no_context_takeover", nil) where !clientNoContextTakeover:
                clientNoContextTakeover = true
            case ("server_max_window_bits", let value?) where serverMaxWindowBits == nil:
                guard let bits = Self.bits(value) else { return nil }
                serverMaxWindowBits = bits
            case ("client_max_window_bits", nil) where clientMaxWindowBits == nil:
                clientMaxWindowBits = .anyBits
            case ("client_max_window_bits", let value?) where clientMaxWindowBits == nil:
                guard let bits = Self.bits(value) else { return nil }
                clientMaxWindowBits = .bits(bits)
            default:
                return nil
            }
        }
    }

    /// 8…15 without leading zeros.
    private static func bits(_ value: String) -> UInt8? {
        DeflateParameters.windowBits.first { String($0) == value }
    }

    /// The element as it is written.
    var text: String {
        var text = Self.name
        if serverNoContextTakeover { text += "; server_no_context_takeover" }
        if clientNoContextTakeover { text += "; client_no_context_takeover" }
        if let serverMaxWindowBits { text += "; server_max_window_bits=\(serverMaxWindowBits)" }
        switch clientMaxWindowBits {
        case nil: break
        case .anyBits: text += "; client_max_window_bits"
        case .bits(let bits): text += "; client_max_window_bits=\(bits)"
        }
        return text
    }
}

// MARK: - Server

extension HandshakeOffer {
    /// The first of the client's offers of permessage-deflate that can be accepted (RFC 7692 section 5); `nil`: messages
    /// go uncompressed.
    package func agreeOnDeflate(_ configuration: CompressionConfiguration) -> DeflateAgreement? {
        guard configuration.enabled else { return nil }
        for offer in deflateOffers {
            if let agreement = offer.accepted(configuration) { return agreement }
        }
        return nil
    }

    /// The first of the client's subprotocols that the server speaks; `nil`: none of them.
    package func subprotocol(among spoken: [String]) -> String? {
        subprotocols.first { spoken.contains($0) }
    }
}

extension DeflateOffer {
    /// The server's answer; `nil` where it cannot keep to what the offer demands.
    func accepted(_ configuration: CompressionConfiguration) -> DeflateAgreement? {
        let sendable = DeflateParameters.sendableWindowBits
        let wished = sendable.clamped(UInt8(clamping: configuration.serverWindowBits))
        let serverBits = min(wished, serverMaxWindowBits ?? sendable.upperBound)
        guard sendable.contains(serverBits) else { return nil }

        var answer = DeflateOffer()
        answer.serverNoContextTakeover = serverNoContextTakeover || !configuration.serverContextTakeover
        answer.clientNoContextTakeover = clientNoContextTakeover || !configuration.clientContextTakeover
        // An offered one must be answered, another may be announced (RFC 7692 section 7.1.2.1).
        if serverMaxWindowBits != nil || serverBits < sendable.upperBound { answer.serverMaxWindowBits = serverBits }

        var clientBits = DeflateParameters.windowBits.upperBound
        if let clientMaxWindowBits {
            clientBits = DeflateParameters.windowBits.clamped(UInt8(clamping: configuration.clientWindowBits))
            if case .bits(let most) = clientMaxWindowBits { clientBits = min(clientBits, most) }
            if clientBits < DeflateParameters.windowBits.upperBound { answer.clientMaxWindowBits = .bits(clientBits) }
        }
        let parameters = DeflateParameters(
            serverContextTakeover: !answer.serverNoContextTakeover,
            clientContextTakeover: !answer.clientNoContextTakeover,
            serverWindowBits: serverBits,
            clientWindowBits: clientBits
        )
        return DeflateAgreement(parameters: parameters, response: answer.text)
    }
}

// MARK: - Client

extension DeflateOffer {
    /// What a client with this configuration offers.
    init(_ configuration: CompressionConfiguration) {
        serverNoContextTakeover = !configuration.serverContextTakeover
        clientNoContextTakeover = !configuration.clientContextTakeover
        let bits = DeflateParameters.windowBits
        let server = bits.clamped(UInt8(clamping: configuration.serverWindowBits))
        if server < bits.upperBound { serverMaxWindowBits = server }
        let client = bits.clamped(UInt8(clamping: configuration.clientWindowBits))
        clientMaxWindowBits = client < bits.upperBound ? .bits(client) : .anyBits
    }

    /// What a server's response to this offer agrees on; `nil` where it asks for what was not offered.
    func parameters(answeredBy response: DeflateOffer) -> DeflateParameters? {
        let widest = DeflateParameters.windowBits.upperBound
        guard response.serverNoContextTakeover || !serverNoContextTakeover else { return nil }
        if let most = serverMaxWindowBits {
            guard let bits = response.serverMaxWindowBits, bits <= most else { return nil }
        }
        var clientBits = widest
        switch (clientMaxWindowBits, response.clientMaxWindowBits) {
        case (nil, nil), (.anyBits, nil): break
        case (nil, .some), (.some, .anyBits): return nil
        case (.bits(let own), nil): clientBits = own
        case (.anyBits, .bits(let bits)): clientBits = bits
        case (.bits(let own), .bits(let bits)):
            guard bits <= own else { return nil }
            clientBits = bits
        }
        return DeflateParameters(
            serverContextTakeover: !response.serverNoContextTakeover,
            clientContextTakeover: !(clientNoContextTakeover || response.clientNoContextTakeover),
            serverWindowBits: response.serverMaxWindowBits ?? widest,
            clientWindowBits: clientBits
        )
    }
}

extension ClosedRange {
    func clamped(_ value: Bound) -> Bound { Swift.min(Swift.max(value, lowerBound), upperBound) }
}
