package import Model
package import NIOCore

/// Replies and the greeting. Every function appends one JSON text; the WebSocket frame around it is the caller's.
extension V1Dialect {
    /// First of all, and again after each successful `auth`, before its reply.
    package static func writeConnected(_ connected: V1Connected, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(#"{"type":"connected","client":"#)
        JSONWriter.writeClient(connected.client, into: &buffer)
        buffer.writeStaticString(#","session":"#)
        JSONWriter.writeBase32(connected.session.rawValue, into: &buffer)
        writeUserOrNull(connected.user, key: #","user":"#, into: &buffer)
        buffer.writeStaticString(connected.isAuthenticated ? #","authenticated":true"# : #","authenticated":false"#)
        buffer.writeStaticString(connected.isAuthRequired ? #","authRequired":true"# : #","authRequired":false"#)
        writeExpiry(connected.expiresIn, into: &buffer)
        if let data = connected.data {
            buffer.writeStaticString(#","data":"#)
            buffer.writeString(data)
        }
        writeHints(connected.server, into: &buffer)
        buffer.writeInteger(UInt8(ascii: "}"))
    }

    private static func writeHints(_ hints: V1ServerHints, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(#","server":{"version":""#)
        buffer.writeString(WsdVersion.current)
        buffer.writeStaticString(#"","pingInterval":"#)
        buffer.writeMilliseconds(hints.pingInterval)
        buffer.writeStaticString(#","pongTimeout":"#)
        buffer.writeMilliseconds(hints.pongTimeout)
        buffer.writeStaticString(#","maxMessageSize":"#)
        JSONWriter.writeNumber(hints.maxMessageSize, into: &buffer)
        if let rate = hints.rate, !rate.isOff, rate.perSecond.isFinite {
            buffer.writeStaticString(#","messagesPerSecond":"#)
            if let whole = Int(exactly: rate.perSecond) {
                JSONWriter.writeNumber(whole, into: &buffer)
            } else {
                buffer.writeString("\(rate.perSecond)")
            }
            buffer.writeStaticString(#","burst":"#)
            JSONWriter.writeNumber(rate.burst, into: &buffer)
        }
        buffer.writeStaticString(#","reconnectMin":"#)
        buffer.writeMilliseconds(hints.reconnectMin)
        buffer.writeStaticString(#","reconnectMax":"#)
        buffer.writeMilliseconds(hints.reconnectMax)
        buffer.writeInteger(UInt8(ascii: "}"))
    }

    /// Success.
    package static func writeReply(_ request: RequestID, _ data: V1ReplyData, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(#"{"type":"reply","requestId":"#)
        buffer.writeString(request.json)
        buffer.writeStaticString(#","data":"#)
        write(data, into: &buffer)
        buffer.writeInteger(UInt8(ascii: "}"))
    }

    private static func write(_ data: V1ReplyData, into buffer: inout ByteBuffer) {
        switch data {
        case .authenticated(let user, let expiresIn):
            writeUserOrNull(user, key: #"{"user":"#, into: &buffer)
            writeExpiry(expiresIn, into: &buffer)
            buffer.writeInteger(UInt8(ascii: "}"))
        case .joined(let result): write(result, into: &buffer)
        case .room(let room):
            buffer.writeInteger(UInt8(ascii: "{"))
            buffer.writeRoomField(room)
            buffer.writeInteger(UInt8(ascii: "}"))
        case .published(let room, let position, let isRepetition):
            buffer.writePublication(room, position: position, isRepetition: isRepetition)
        case .sent(let user):
            writeUserOrNull(user, key: #"{"user":"#, into: &buffer)
            buffer.writeInteger(UInt8(ascii: "}"))
        case .broadcast: buffer.writeStaticString("{}")
        case .history(let page): buffer.writeHistoryPage(page)
        case .presence(let room, let members, let clients):
            buffer.writeInteger(UInt8(ascii: "{"))
            buffer.writeRoomField(room)
            buffer.writePresenceFields(members: members, clients: clients, key: #","clients":["#)
            buffer.writeInteger(UInt8(ascii: "}"))
        case .time(let time):
            buffer.writeStaticString(#"{"time":"#)
            JSONWriter.writeNumber(time, into: &buffer)
            buffer.writeInteger(UInt8(ascii: "}"))
        case .json(let text): buffer.writeBytes(text.bytes)
        }
    }

    private static func write(_ result: JoinResult, into buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(ascii: "{"))
        buffer.writeRoomField(result.room)
        buffer.writePositionFields(result.position)
        switch result.recovery {
        case .notAsked: break
        case .recovered: buffer.writeStaticString(#","recovered":true"#)
        case .failed(let reason):
            buffer.writeStaticString(#","recovered":false,"reason":""#)
            buffer.writeString(reason.rawValue)
            buffer.writeInteger(UInt8(ascii: "\""))
        }
        buffer.writePresenceFields(members: result.members, clients: result.presence, key: #","presence":["#)
        buffer.writeInteger(UInt8(ascii: "}"))
    }

    /// Failure: the reply to `request`, or an error event where there is none.
    package static func writeRefusal(
        _ refusal: ClientRefusal, request: RequestID?, into buffer: inout ByteBuffer
    ) {
        if let request {
            buffer.writeStaticString(#"{"type":"reply","requestId":"#)
            buffer.writeString(request.json)
        } else {
            buffer.writeStaticString(#"{"type":"error""#)
        }
        buffer.writeStaticString(#","error":{"code":""#)
        buffer.writeString(refusal.code.rawValue)
        buffer.writeStaticString(#"","message":"#)
        JSONWriter.writeString(refusal.words, into: &buffer)
        buffer.writeStaticString(refusal.code.isTemporary ? #","temporary":true"# : #","temporary":false"#)
        if let retryAfter = refusal.retryAfter {
            buffer.writeStaticString(#","retryAfter":"#)
            buffer.writeMilliseconds(retryAfter)
        }
        buffer.writeStaticString("}}")
    }

    private static func writeUserOrNull(_ user: UserName?, key: StaticString, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(key)
        if let user {
            JSONWriter.writeString(user.text, into: &buffer)
        } else {
            buffer.writeStaticString("null")
        }
    }

    private static func writeExpiry(_ expiresIn: Duration?, into buffer: inout ByteBuffer) {
        guard let expiresIn else { return }
        buffer.writeStaticString(#","expiresIn":"#)
        buffer.writeSeconds(expiresIn)
    }
}
