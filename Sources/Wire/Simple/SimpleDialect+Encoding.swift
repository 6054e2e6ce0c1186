package import Model
package import NIOCore

/// Every function appends one JSON text; the WebSocket frame around it is the caller's. A room message needs none: it
/// is the payload as it came.
extension SimpleDialect {
    package static func writeConnected(_ client: ClientID, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(#"{"type":"connected","clientId":"#)
        JSONWriter.writeClient(client, into: &buffer)
        buffer.writeInteger(UInt8(ascii: "}"))
    }

    /// `joined` false: left. `user`: who the client is, if it has said so.
    package static func writePresence(
        joined: Bool, client: ClientID, user: UserName?, room: RoomName, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString(joined ? #"{"type":"userJoined","userId":"# : #"{"type":"userLeft","userId":"#)
        if let user {
            JSONWriter.writeString(user.text, into: &buffer)
        } else {
            JSONWriter.writeClient(client, into: &buffer)
        }
        buffer.writeStaticString(#","roomId":"#)
        JSONWriter.writeString(room.text, into: &buffer)
        buffer.writeInteger(UInt8(ascii: "}"))
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

    /// The application's answer to a call.
    package static func writeAnswer(_ request: RequestID, data: JSONText, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(#"{"requestId":"#)
        buffer.writeString(request.json)
        buffer.writeStaticString(#","data":"#)
        buffer.writeBytes(data.bytes)
        buffer.writeInteger(UInt8(ascii: "}"))
    }

    /// Failure: the answer to `request`, or an error event where there is none.
    package static func writeRefusal(
        _ refusal: ClientRefusal, request: RequestID?, into buffer: inout ByteBuffer
    ) {
        if let request {
            buffer.writeStaticString(#"{"requestId":"#)
            buffer.writeString(request.json)
            buffer.writeStaticString(#","error":"#)
            JSONWriter.writeString(refusal.words, into: &buffer)
            buffer.writeStaticString(#","code":""#)
            buffer.writeString(refusal.code.rawValue)
            buffer.writeInteger(UInt8(ascii: "\""))
        } else {
            buffer.writeStaticString(#"{"type":"error","code":""#)
            buffer.writeString(refusal.code.rawValue)
            buffer.writeStaticString(#"","error":"#)
            JSONWriter.writeString(refusal.words, into: &buffer)
        }
        if let retryAfter = refusal.retryAfter {
            buffer.writeStaticString(#","retryAfter":"#)
            buffer.writeMilliseconds(retryAfter)
        }
        buffer.writeInteger(UInt8(ascii: "}"))
    }
}
