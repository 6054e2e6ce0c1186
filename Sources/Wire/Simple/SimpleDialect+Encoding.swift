package import Model
package import NIOCore

/// Every function appends one JSON text; the WebSocket frame around it is the caller's. A room message needs none: it
/// is the payload as it came.
extension SimpleDialect {
    package static func writeConnected(_ client: ClientID, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(#"{"type":"connected","clientId":""#)
        buffer.writeString(client.description)
        buffer.writeStaticString(#""}"#)
    }

    /// `joined` false: left.
    package static func writePresence(joined: Bool, user: ClientID, room: RoomName, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(joined ? #"{"type":"userJoined","userId":""# : #"{"type":"userLeft","userId":""#)
        buffer.writeString(user.description)
        buffer.writeStaticString(#"","roomId":"#)
        JSONWriter.writeString(room.text, into: &buffer)
        buffer.writeStaticString("}")
    }

    /// Success. `room`: the one the request named, if any.
    package static func writeAnswer(_ request: RequestID, room: RoomName?, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(#"{"requestId":"#)
        buffer.writeString(request.json)
        buffer.writeStaticString(#","data":{"ok":true"#)
        if let room {
            buffer.writeStaticString(#","roomId":"#)
            JSONWriter.writeString(room.text, into: &buffer)
        }
        buffer.writeStaticString("}}")
    }

    /// Failure: the answer to `request`, or an error event where there is none.
    package static func writeError(_ code: ClientErrorCode, request: RequestID?, into buffer: inout ByteBuffer) {
        guard let request else {
            buffer.writeStaticString(#"{"type":"error","code":""#)
            buffer.writeString(code.rawValue)
            buffer.writeStaticString(#"","error":""#)
            buffer.writeString(code.words)
            buffer.writeStaticString(#""}"#)
            return
        }
        buffer.writeStaticString(#"{"requestId":"#)
        buffer.writeString(request.json)
        buffer.writeStaticString(#","error":""#)
        buffer.writeString(code.words)
        buffer.writeStaticString(#"","code":""#)
        buffer.writeString(code.rawValue)
        buffer.writeStaticString(#""}"#)
    }
}
