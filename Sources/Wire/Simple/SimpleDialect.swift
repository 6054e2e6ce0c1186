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
