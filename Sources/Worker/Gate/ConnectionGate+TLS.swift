import Logging
import Model
import NIOCore
import NIOSSL
import WebSocketProtocol

/// What is before the request head where TLS is spoken, and after it where browsers are only sent on to it.
extension ConnectionGate {
    /// First byte of a TLS connection: a record of the handshake protocol (RFC 8446 section 5.1).
    private static let handshakeRecord: UInt8 = 0x16

    /// Decides by the first byte whether the peer speaks TLS.
    func readKnock(_ context: ChannelHandlerContext) {
        guard let first = received.readableBytesView.first, let tls = engine.tls else { return }
        switch first {
        case Self.handshakeRecord: secure(context, tls)
        case UInt8(ascii: "A")...UInt8(ascii: "Z"):
            tls.handshakeFailed(.plain)
            refuse(.plainOnSecurePort, .handshake, head: nil)
        default:
            tls.handshakeFailed(.invalid)
            state = .refused
            context.close(promise: nil)
        }
    }

    /// Puts TLS before this handler, and gives it what has come so far.
    private func secure(_ context: ChannelHandlerContext, _ tls: TLSKeeper) {
        let (sharing, handler, transport) = tls.handlers(engine.receiveBuffers)
        let operations = context.pipeline.syncOperations
        let bytes = received
        received = ByteBuffer()
        state = .securing
        do {
            try operations.addHandler(sharing, position: .before(self))
            try operations.addHandler(handler, position: .before(self))
            try operations.addHandler(transport, position: .before(self))
        } catch {
            context.close(promise: nil)
            return
        }
        operations.fireChannelRead(NIOAny(bytes))
    }

    /// The handshake is complete.
    func secured(_ context: ChannelHandlerContext) {
        guard state == .securing else { return }
        state = .waiting
        engine.tls?.handshakeCompleted()
        let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
        context.channel.secureTransport?.takeCertificate(handler?.peerCertificate)
    }

    /// It never will be.
    func notSecured(_ reason: TLSFailure) {
        state = .refused
        engine.tls?.handshakeFailed(reason)
        engine.logger.debug(
            "A TLS handshake failed",
            metadata: [
                "reason": "\(reason.rawValue)", "client.address": "\(context?.channel.peer?.wsdText ?? "unknown")",
            ]
        )
    }

    /// Sends the client of a plain port to https.
    func redirect(_ head: RequestHead) {
        let reply = RedirectAnswer.to(
            head, engine.configuration, port: engine.child.securePort, notReady: engine.notReadyReason)
        if reply.isRefusal {
            engine.admission.refusals[.handshake] += 1
            engine.refused(
                HTTPRefusal(status: 308, sentence: reply.text), head: head, address: context?.channel.peer)
        }
        var bytes = ByteBuffer()
        reply.write(isHead: head.method == "HEAD", into: &bytes)
        answer(bytes)
    }
}

extension HTTPRefusal {
    static let plainOnSecurePort = HTTPRefusal(
        status: 400, sentence: "This port speaks https:// and wss:// alone, and plain HTTP came.")
}
