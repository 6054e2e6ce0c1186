import Authentication
import Model
import NIOCore
import NIOSSL

/// Stands behind NIOSSL's handler in the pipeline of a TLS connection, by which such a connection is known.
///
/// 1. Knows the certificate that the client has shown.
/// 2. Keeps an abrupt end to itself: a peer that goes without close_notify has gone, which is no error. What may be cut
///    off unseen by that is nothing here: messages and requests know their length.
/// 3. Ends the connection when it is closed, also where half-closing is on: NIOSSL waits for the peer's close_notify and
///    takes it for a half-close there, until its time-out.
final class SecureTransport: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private(set) var clientCertificate: ClientCertificate?

    /// To be called once the handshake is complete: from then on the certificate is known to be good.
    func takeCertificate(_ certificate: NIOSSLCertificate?) {
        clientCertificate = certificate.flatMap(ClientCertificate.init)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case NIOSSLError.uncleanShutdown = error { return }
        context.fireErrorCaught(error)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .all { try? context.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: false) }
        context.close(mode: mode, promise: promise)
    }
}

/// Stands before NIOSSL's handler and gives the loop's receive buffer back once that has taken the bytes.
final class SharedBufferReturn: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let buffers: ReceiveBuffers

    init(_ buffers: ReceiveBuffers) { self.buffers = buffers }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        context.fireChannelRead(data)
        buffers.giveBack(bytes)
    }
}

extension Channel {
    /// The part of a TLS connection that knows of it; `nil`: it is plain. On the event loop only.
    var secureTransport: SecureTransport? { try? pipeline.syncOperations.handler(type: SecureTransport.self) }

    /// Whether the client speaks TLS with this process. On the event loop only.
    var isSecure: Bool { secureTransport != nil }
}

extension ChannelPipeline.SynchronousOperations {
    /// Hands bytes that were read already to the handlers of the application, behind TLS where there is TLS.
    func fireDecrypted(_ bytes: ByteBuffer) {
        guard let transport = try? context(handlerType: SecureTransport.self) else {
            fireChannelRead(NIOAny(bytes))
            fireChannelReadComplete()
            return
        }
        transport.fireChannelRead(NIOAny(bytes))
        transport.fireChannelReadComplete()
    }
}

extension ChannelHandlerContext {
    /// Ends the connection at once: no close_notify is waited for.
    func cut() {
        guard let transport = try? pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self) else {
            close(promise: nil)
            return
        }
        transport.close(promise: nil)
    }
}

extension ClientCertificate {
    /// `nil`: it cannot be written down again, which no certificate that was checked is like.
    fileprivate init?(_ certificate: NIOSSLCertificate) {
        guard let bytes = try? certificate.toDERBytes() else { return nil }
        let subject = certificate.subjectName.reversed().map { part in
            "\(Self.word(part.type))=\(Self.escaped(part.value))"
        }.joined(separator: ",")
        self.init(
            subject: String(decoding: subject.utf8.prefix(Self.maxSubject), as: UTF8.self),
            sha256: Fingerprint.sha256(bytes))
    }

    /// RFC 4514 section 3; a part of another kind is named by a question mark.
    private static func word(_ type: SSLCertificateNameType) -> String {
        let words: [SSLCertificateNameType: String] = [
            .commonName: "CN", .organization: "O", .organizationalUnit: "OU", .state: "ST", .country: "C", .city: "L",
            .emailAddress: "emailAddress", .userId: "UID",
        ]
        return words[type] ?? "?"
    }

    /// RFC 4514 section 2.4.
    private static func escaped(_ value: String) -> String {
        let last = value.unicodeScalars.count - 1
        var out = ""
        for (index, scalar) in value.unicodeScalars.enumerated() {
            switch scalar {
            case "\"", "+", ",", ";", "<", ">", "\\": out += "\\" + String(scalar)
            case "#" where index == 0: out += "\\#"
            case " " where index == 0 || index == last: out += "\\ "
            case "\u{0}"..."\u{1F}", "\u{7F}":
                out += "\\" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
