import Model
import NIOCore

/// The client's side of the opening handshake (RFC 6455 section 4.1), sans-I/O.
///
/// Write the request, then show all bytes received so far to ``read(_:)`` until it is decided.
package struct ClientHandshake: Sendable {
    /// Bytes of a response's head; above: failed.
    package static let maxHeadSize = 64 * 1024

    /// `Host`, with the port where it is not the scheme's.
    private let host: String
    private let target: String
    /// Base 64 of 16 bytes.
    private let key: String
    private let subprotocols: [String]
    private let deflateOffer: DeflateOffer?
    private let fields: [HTTPField]
    /// Bytes already searched for the end of the head.
    private var searched = 0

    /// What a server has agreed on.
    package struct Agreement: Equatable, Sendable {
        package var subprotocol: String?
        package var deflate: DeflateParameters?
        /// All fields of the response.
        package var fields: [HTTPField]
    }

    package enum Result: Equatable, Sendable {
        case incomplete
        /// Open. `length` bytes were the head; what follows are frames.
        case accepted(Agreement, length: Int)
        /// Another status than 101; what follows is the body.
        case refused(status: Int, fields: [HTTPField], length: Int)
        /// Not an answer to this request: end the connection. A sentence says why.
        case failed(String)
    }

    /// - Parameters:
    ///   - host: value of `Host`; without line breaks, as the other texts.
    ///   - target: path and query, percent-encoded.
    ///   - key: two random numbers, new for each connection.
    ///   - compression: what to offer of permessage-deflate; nothing where it is not enabled.
    ///   - fields: further ones (`Authorization`, `Origin`, …).
    package init(
        host: String,
        target: String = "/",
        key: (UInt64, UInt64),
        subprotocols: [String] = [],
        compression: CompressionConfiguration = CompressionConfiguration(),
        fields: [HTTPField] = []
    ) {
        self.host = host
        self.target = target
        self.subprotocols = subprotocols
        self.fields = fields
        deflateOffer = compression.enabled ? DeflateOffer(compression) : nil
        self.key = Base64.encode(
            [key.0, key.1].flatMap { number in (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } })
    }

    /// Appends the request.
    package func writeRequest(into out: inout ByteBuffer) {
        var request = "GET \(target) HTTP/1.1\r\nHost: \(host)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        request += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(key)\r\n"
        if !subprotocols.isEmpty {
            request += "Sec-WebSocket-Protocol: \(subprotocols.joined(separator: ", "))\r\n"
        }
        if let deflateOffer { request += "Sec-WebSocket-Extensions: \(deflateOffer.text)\r\n" }
        for field in fields { request += "\(field.name): \(field.value)\r\n" }
        out.writeString(request + "\r\n")
    }

    /// Looks at all bytes received so far; `bytes` must begin with what the call before saw.
    package mutating func read(_ bytes: ByteBuffer) -> Result {
        let found = bytes.withUnsafeReadableBytes { HeadLines.endOfHead($0, from: max(0, searched - 3)) }
        guard let length = found, length <= Self.maxHeadSize else {
            guard found == nil, bytes.readableBytes <= Self.maxHeadSize else {
                return .failed("The head of the server's answer is larger than \(Self.maxHeadSize) bytes.")
            }
            searched = bytes.readableBytes
            return .incomplete
        }
        do throws(HTTPRefusal) {
            let head = try bytes.withUnsafeReadableBytes { (whole) throws(HTTPRefusal) in
                try ResponseHead(UnsafeRawBufferPointer(rebasing: whole[..<length]))
            }
            guard head.status == 101 else {
                return .refused(status: head.status, fields: head.fields, length: length)
            }
            return .accepted(try agreement(head), length: length)
        } catch {
            return .failed(error.sentence)
        }
    }

    private func agreement(_ head: ResponseHead) throws(HTTPRefusal) -> Agreement {
        guard head.lists("upgrade", "websocket"), head.lists("connection", "upgrade") else {
            throw .malformed("The server answered 101, but not with `Upgrade: websocket` and `Connection: Upgrade`.")
        }
        let expected = Array(key.utf8).withUnsafeBytes(Handshake.accepted)
        guard head.values("sec-websocket-accept") == [expected] else {
            throw .malformed("The server's Sec-WebSocket-Accept does not fit the key sent.")
        }
        let chosen = head.values("sec-websocket-protocol")
        guard chosen.count <= 1, chosen.allSatisfy(subprotocols.contains) else {
            throw .malformed("The server chose a subprotocol that was not offered.")
        }
        return Agreement(subprotocol: chosen.first, deflate: try deflate(head), fields: head.fields)
    }

    private func deflate(_ head: ResponseHead) throws(HTTPRefusal) -> DeflateParameters? {
        let text = head.values("sec-websocket-extensions").joined(separator: ", ")
        guard let list = ExtensionElement.list(text) else {
            throw .malformed("The server's Sec-WebSocket-Extensions is not a list of extensions.")
        }
        guard let element = list.first else { return nil }
        guard list.count == 1, element.name == DeflateOffer.name, let deflateOffer else {
            throw .malformed("The server chose an extension that was not offered.")
        }
        guard let response = DeflateOffer(element), let parameters = deflateOffer.parameters(answeredBy: response)
        else {
            throw .malformed("The server chose parameters of permessage-deflate that were not offered.")
        }
        return parameters
    }
}
