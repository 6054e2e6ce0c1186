package import Model
package import NIOCore

/// Events. Every function appends one JSON text; the WebSocket frame around it is the caller's.
extension V1Dialect {
    /// The event of any kind of delivery. `typingTimeout`: `rooms.typingTimeout`.
    package static func writeDelivery(
        _ delivery: HubDelivery, payload: ByteBufferView, typingTimeout: Duration, into buffer: inout ByteBuffer
    ) {
        switch delivery.kind {
        case .message:
            return writeMessage(
                V1Message(delivery, head: #"{"type":"message""#, room: delivery.room), payload, into: &buffer)
        case .broadcast:
            return writeMessage(V1Message(delivery, head: #"{"type":"broadcast""#, room: nil), payload, into: &buffer)
        case .direct:
            return writeMessage(V1Message(delivery, head: #"{"type":"direct""#, room: nil), payload, into: &buffer)
        case .userJoined:
            buffer.writeStaticString(#"{"type":"userJoined","#)
            writeMember(delivery, payload, into: &buffer)
        case .userLeft:
            buffer.writeStaticString(#"{"type":"userLeft","#)
            writeMember(delivery, payload, into: &buffer)
        case .typingStarted:
            buffer.writeStaticString(#"{"type":"typing","#)
            writeSubject(delivery, into: &buffer)
            buffer.writeStaticString(#","typing":true,"expiresIn":"#)
            buffer.writeMilliseconds(typingTimeout)
        case .typingStopped:
            buffer.writeStaticString(#"{"type":"typing","#)
            writeSubject(delivery, into: &buffer)
            buffer.writeStaticString(#","typing":false"#)
        case .read:
            buffer.writeStaticString(#"{"type":"read","#)
            buffer.writeRoomField(delivery.room)
            if delivery.user == nil {
                buffer.writeStaticString(#","client":"#)
                JSONWriter.writeClient(delivery.subject, into: &buffer)
            } else {
                buffer.writeUserField(delivery.user)
            }
            buffer.writeStaticString(#","offset":"#)
            JSONWriter.writeNumber(delivery.offset, into: &buffer)
        }
        buffer.writeInteger(UInt8(ascii: "}"))
    }

    private static func writeMessage(
        _ message: borrowing V1Message, _ payload: ByteBufferView, into buffer: inout ByteBuffer
    ) {
        payload.withUnsafeBytes { buffer.writeMessage(message, data: $0) }
    }

    private static func writeSubject(_ delivery: HubDelivery, into buffer: inout ByteBuffer) {
        buffer.writeRoomField(delivery.room)
        buffer.writeStaticString(#","client":"#)
        JSONWriter.writeClient(delivery.subject, into: &buffer)
        buffer.writeUserField(delivery.user)
    }

    private static func writeMember(
        _ delivery: HubDelivery, _ info: ByteBufferView, into buffer: inout ByteBuffer
    ) {
        writeSubject(delivery, into: &buffer)
        guard !info.isEmpty else { return }
        buffer.writeStaticString(#","info":"#)
        buffer.writeBytes(info)
    }

    /// Messages that a client missed: at most ``maxBatch``, as one event or an array of them.
    package static func writeMissed(
        _ entries: ArraySlice<HistoryEntry>, room: RoomName, epoch: RoomEpoch, into buffer: inout ByteBuffer
    ) {
        let isArray = entries.count != 1
        if isArray { buffer.writeInteger(UInt8(ascii: "[")) }
        for index in entries.indices {
            if index > entries.startIndex { buffer.writeInteger(UInt8(ascii: ",")) }
            let entry = entries[index]
            entry.data.withUnsafeBytes { data in
                buffer.writeMessage(V1Message(entry, position: (room, epoch)), data: data)
            }
        }
        if isArray { buffer.writeInteger(UInt8(ascii: "]")) }
    }

    /// The backend, or a token's `rooms`, made the client a member.
    package static func writeJoined(_ room: RoomName, position: RoomPosition?, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(#"{"type":"joined","#)
        buffer.writeRoomField(room)
        buffer.writePositionFields(position)
        buffer.writeInteger(UInt8(ascii: "}"))
    }

    /// The backend ended the membership.
    package static func writeLeft(_ room: RoomName, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(#"{"type":"left","#)
        buffer.writeRoomField(room)
        buffer.writeInteger(UInt8(ascii: "}"))
    }

    /// The identity ends soon.
    package static func writeExpiring(_ expiresIn: Duration, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(#"{"type":"expiring","expiresIn":"#)
        buffer.writeSeconds(expiresIn)
        buffer.writeInteger(UInt8(ascii: "}"))
    }

    /// Right before a close with `code`.
    package static func writeReconnect(after: Duration, code: CloseCode, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(#"{"type":"reconnect","after":"#)
        buffer.writeMilliseconds(after)
        buffer.writeStaticString(#","code":"#)
        JSONWriter.writeNumber(Int(code.rawValue), into: &buffer)
        buffer.writeInteger(UInt8(ascii: "}"))
    }

    /// Messages of a room were lost for this member.
    package static func writeGap(_ room: RoomName, reason: RecoveryFailure, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(#"{"type":"gap","#)
        buffer.writeRoomField(room)
        buffer.writeStaticString(#","reason":""#)
        buffer.writeString(reason.rawValue)
        buffer.writeStaticString(#""}"#)
    }
}
