import Logging
import Model
import NIOCore
import WebSocketProtocol

extension WorkerEngine {
    /// Makes a channel whose own handlers have left a live connection, or refuses it.
    func openLive(
        on channel: any Channel, head: RequestHead, offer: HandshakeOffer, request: LiveRequest, leftover: ByteBuffer
    ) {
        let handler = LiveHandler(engine: self, request: request, head: head, offer: offer)
        let hasRoom = live.hasRoom
        do {
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            channel.close(promise: nil)
            return
        }
        live.insert(handler)
        if isDraining {
            handler.refuse(.liveEnds, .other)
        } else if !hasRoom {
            handler.refuse(.tooManyLive, .connectionLimit)
        } else {
            handler.begin(leftover)
        }
    }

    /// Called once for each live connection, when its transport is gone.
    func liveEnded(_ handler: LiveHandler) {
        guard live.remove(handler) else { return }
        socketClosed()
    }

    /// They are few: nothing is won by closing them one after the other.
    func closeLive(_ code: CloseCode, reason: String) {
        for handler in live.all { handler.close(code, reason: reason) }
    }

    func cutLive() {
        for handler in live.all { handler.cut() }
    }
}
