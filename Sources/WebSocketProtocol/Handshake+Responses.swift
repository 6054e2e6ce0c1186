import NIOCore

extension Handshake {
    /// Appends the 101 response.
    /// - Parameters:
    ///   - subprotocol: one of the offered ones, or `nil`.
    ///   - deflate: what ``HandshakeOffer/agreeOnDeflate(_:)`` made of the same offer.
    package static func writeAcceptance(
        of offer: HandshakeOffer,
        subprotocol: String? = nil,
        deflate: DeflateAgreement? = nil,
        fields: [HTTPField] = [],
        into out: inout ByteBuffer
    ) {
        out.writeStaticString(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        )
        out.writeString(offer.acceptKey)
        if let subprotocol {
            out.writeStaticString("\r\nSec-WebSocket-Protocol: ")
            out.writeString(subprotocol)
        }
        if let deflate {
            out.writeStaticString("\r\nSec-WebSocket-Extensions: ")
            out.writeString(deflate.response)
        }
        write(fields, into: &out)
        out.writeStaticString("\r\n\r\n")
    }

    /// Appends a whole response that says why not and that the connection ends. Close the channel after it.
    package static func writeRefusal(_ refusal: HTTPRefusal, into out: inout ByteBuffer) {
        out.writeStaticString("HTTP/1.1 ")
        out.writeString(String(refusal.status))
        out.writeStaticString(" ")
        out.writeString(reasonPhrase(refusal.status))
        if !refusal.fields.contains(where: { $0.name.lowercased() == "content-type" }) {
            out.writeStaticString("\r\nContent-Type: text/plain; charset=utf-8")
        }
        out.writeStaticString("\r\nContent-Length: ")
        out.writeString(String(refusal.sentence.utf8.count + 1))
        let connection = refusal.fields.first { $0.name.lowercased() == "connection" }?.value
        write(refusal.fields.filter { $0.name.lowercased() != "connection" }, into: &out)
        out.writeStaticString("\r\nCache-Control: no-store\r\nConnection: ")
        out.writeString(connection.map { $0 + ", close" } ?? "close")
        out.writeStaticString("\r\n\r\n")
        out.writeString(refusal.sentence)
        out.writeStaticString("\n")
    }

    private static func write(_ fields: [HTTPField], into out: inout ByteBuffer) {
        for field in fields {
            out.writeStaticString("\r\n")
            out.writeString(field.name)
            out.writeStaticString(": ")
            out.writeString(field.value)
        }
    }

    private static func reasonPhrase(_ status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 413: "Content Too Large"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 508: "Loop Detected"
        default: "Refused"
        }
    }
}
