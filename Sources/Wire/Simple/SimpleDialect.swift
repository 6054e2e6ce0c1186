package import Model

/// The dialect of a page with a bare `new WebSocket(url)`: JSON texts, no subprotocol.
///
/// From a client (any of them may carry `requestId`, a string or number):
/// - `{"type":"joinRoom","roomId":…}`, `{"type":"leaveRoom","roomId":…}`
/// - `{"type":"sendToRoom","roomId":…,"data":…}`: the other members get `data` itself, byte for byte
/// - `{"type":"broadcast","data":…}`: all other clients get `data` itself
///
/// To a client:
/// - `{"type":"connected","clientId":"…"}` first of all
/// - `{"type":"userJoined"|"userLeft","userId":"…","roomId":"…"}` to the others of a room
/// - `{"requestId":…,"data":{"ok":true,"roomId":"…"}}` for what was asked with a `requestId` (no `roomId` for a
///   broadcast), once the hub has confirmed it; without a `requestId` success is silent
/// - `{"requestId":…,"error":"Invalid room","code":"invalid_room"}` where that failed
/// - `{"type":"error","code":"invalid_message","error":"Invalid message format"}` where it carried no (readable)
///   `requestId`
///
/// Unknown keys are ignored; of a key given twice the last counts, as with `JSON.parse`.
package enum SimpleDialect {
    /// Name of the dialect in statistics.
    package static let name = "simple"
}

/// One message of a client, understood.
package struct SimpleMessage: Hashable, Sendable {
    package var command: ClientCommand
    package var request: RequestID?
    /// Where `data` lies in the message, for a publication; otherwise empty. Offsets from the first readable byte.
    package var data: Range<Int>

    package init(command: ClientCommand, request: RequestID?, data: Range<Int>) {
        self.command = command
        self.request = request
        self.data = data
    }
}

/// A message of a client that cannot be carried out, and whom to tell.
package struct DialectError: Error, Hashable, Sendable {
    package var code: ClientErrorCode
    /// Set when the message was JSON and its `requestId` could be read.
    package var request: RequestID?

    package init(code: ClientErrorCode, request: RequestID? = nil) {
        self.code = code
        self.request = request
    }
}
