import NIOCore

/// The server's side of the opening handshake (RFC 6455 section 4.2).
package enum Handshake {
    package enum Decision: Sendable {
        /// An ordinary request.
        case notUpgrade
        case accept(HandshakeOffer)
        case refuse(HTTPRefusal)
    }

    /// Decides from the head alone; paths, origins and limits are the caller's matter.
    package static func decide(_ head: RequestHead) -> Decision {
        guard head.contains("websocket", in: "upgrade") else {
            guard head.count("sec-websocket-key") > 0, head.method == "GET" else { return .notUpgrade }
            return .refuse(.missingUpgrade)
        }
        do throws(HTTPRefusal) {
            return .accept(try offer(head))
        } catch {
            return .refuse(error)
        }
    }

    private static func offer(_ head: RequestHead) throws(HTTPRefusal) -> HandshakeOffer {
        guard head.method == "GET" else {
            throw HTTPRefusal(
                status: 405,
                sentence: "A WebSocket handshake is a GET request.",
                fields: [HTTPField("Allow", "GET")]
            )
        }
        guard head.minorVersion == 1 else {
            throw .malformed("A WebSocket handshake needs HTTP/1.1, not 1.0 (nginx: proxy_http_version 1.1).")
        }
        guard head.contains("upgrade", in: "connection") else {
            throw .malformed(
                "The field `Connection: Upgrade` is missing; a proxy has to pass it on"
                    + " (nginx: proxy_set_header Connection \"upgrade\")."
            )
        }
        guard head.count("transfer-encoding") == 0, head.first("content-length") ?? "0" == "0" else {
            throw .malformed("A WebSocket handshake has no body.")
        }
        let hasKey = head.count("sec-websocket-key") > 0
        let hasVersion = head.count("sec-websocket-version") > 0
        guard hasKey || hasVersion else {
            throw .malformed("The fields Sec-WebSocket-Key and Sec-WebSocket-Version are missing.")
        }
        guard hasKey else { throw .malformed("The field Sec-WebSocket-Key is missing.") }
        guard hasVersion else { throw .malformed("The field Sec-WebSocket-Version is missing.") }
        switch head.count("sec-websocket-version") {
        case 1 where head.first("sec-websocket-version") == "13": break
        default:
            throw HTTPRefusal(
                status: 426,
                sentence: "Only version 13 of the WebSocket protocol is spoken here.",
                fields: [HTTPField("Sec-WebSocket-Version", "13"), HTTPField("Upgrade", "websocket")]
            )
        }
        var offer = HandshakeOffer(
            acceptKey: try acceptKey(head),
            subprotocols: try subprotocols(head),
            extensions: head.joined("sec-websocket-extensions")
        )
        if let extensions = offer.extensions {
            // RFC 6455 section 9.1 leaves no choice.
            guard let list = ExtensionElement.list(extensions) else {
                throw .malformed("The field Sec-WebSocket-Extensions is not a list of extensions.")
            }
            offer.deflateOffers = list.compactMap(DeflateOffer.init)
        }
        return offer
    }

    private static func acceptKey(_ head: RequestHead) throws(HTTPRefusal) -> String {
        guard head.count("sec-websocket-key") == 1 else {
            throw .malformed("There is more than one field Sec-WebSocket-Key.")
        }
        let accepted = head.withFirst("sec-websocket-key") { key -> String? in
            guard Base64.encodesSixteenBytes(key) else { return nil }
            return Self.accepted(key)
        }
        guard case .some(.some(let key)) = accepted else {
            throw .malformed("The field Sec-WebSocket-Key is not 16 bytes in base64.")
        }
        return key
    }

    /// The value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`.
    static func accepted(_ key: UnsafeRawBufferPointer) -> String {
        Base64.encode(SHA1.digest(key, followedBy: "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
    }

    private static func subprotocols(_ head: RequestHead) throws(HTTPRefusal) -> [String] {
        guard let list = head.joined("sec-websocket-protocol") else { return [] }
        var result: [String] = []
        for element in list.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            let trimmed = element.drop(while: \.isBlank)
            let name = trimmed.prefix { !$0.isBlank }
            guard !name.isEmpty, name.allSatisfy(\.isTokenCharacter), trimmed[name.endIndex...].allSatisfy(\.isBlank)
            else {
                throw .malformed("The field Sec-WebSocket-Protocol is not a list of names.")
            }
            result.append(String(decoding: name, as: UTF8.self))
        }
        return result
    }
}

/// A handshake that may be accepted.
package struct HandshakeOffer: Equatable, Sendable {
    /// The value of `Sec-WebSocket-Accept`.
    package var acceptKey: String
    /// What the client offers, in its order of preference.
    package var subprotocols: [String]
    /// `Sec-WebSocket-Extensions` as sent.
    package var extensions: String?
    /// The well-formed offers of permessage-deflate among them, in the client's order of preference.
    var deflateOffers: [DeflateOffer] = []
}

extension HTTPRefusal {
    /// The sign of a proxy that does not pass the upgrade on: all of a handshake but `Upgrade`.
    static let missingUpgrade = HTTPRefusal(
        status: 426,
        sentence: "The field `Upgrade: websocket` is missing; a proxy has to pass it on"
            + " (nginx: proxy_set_header Upgrade $http_upgrade).",
        fields: [HTTPField("Upgrade", "websocket"), HTTPField("Connection", "Upgrade")]
    )
}
