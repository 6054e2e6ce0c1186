import NIOCore
import NIOHTTP1
import WebSocketProtocol

/// What comes of a call that a live connection follows.
enum LiveEvent {
    /// The call is answered; lines follow.
    case opened
    /// It is not, and why. The last event.
    case refused(HTTPRefusal)
    /// One line without its end.
    case line(ByteBuffer)
    /// No more lines for now.
    case pause
    /// There will be no more lines. The last event.
    case ended
    /// The supervisor has gone in the middle of the answer. The last event.
    case cutOff
    /// The answer cannot be understood. The last event.
    case broken
}

/// Where live connections get what they show.
struct LiveSource {
    /// Makes a call of the control API; the result ends it. Events come on the event loop, and none after the last or after
    /// the end.
    var open: (_ call: String, _ receive: @escaping (LiveEvent) -> Void) -> (() -> Void)

    init(open: @escaping (_ call: String, _ receive: @escaping (LiveEvent) -> Void) -> (() -> Void)) {
        self.open = open
    }

    /// The supervisor.
    ///
    /// - Parameter socket: path of the control socket.
    init(socket: String, eventLoop: any EventLoop) {
        self.init { call, receive in
            let stream = ControlStream(eventLoop: eventLoop, receive: receive)
            stream.open(socket: socket, call: call)
            return { stream.close() }
        }
    }
}
