internal import Model
internal import NIOCore

/// Pieces of the dialect's JSON that stand in several messages. Those that begin with `,` follow another key.
extension ByteBuffer {
    /// `"room":"…"`.
    mutating func writeRoomField(_ room: RoomName) {
        writeStaticString(#""room":"#)
        JSONWriter.writeString(room.text, into: &self)
    }

    /// `,"user":"…"`, if there is one.
    mutating func writeUserField(_ user: UserName?) {
        guard let user else { return }
        writeStaticString(#","user":"#)
        JSONWriter.writeString(user.text, into: &self)
    }

    /// `,"epoch":"…","offset":…`, if there is one.
    mutating func writePositionFields(_ position: RoomPosition?) {
        guard let position else { return }
        writeStaticString(#","epoch":"#)
        JSONWriter.writeBase32(position.epoch.rawValue, into: &self)
        writeStaticString(#","offset":"#)
        JSONWriter.writeNumber(position.offset, into: &self)
    }

    /// `,"members":…` and, if it is there, `,"clients":[…]` under the key given.
    mutating func writePresenceFields(members: Int, clients: [PresenceEntry]?, key: StaticString) {
        writeStaticString(#","members":"#)
        JSONWriter.writeNumber(members, into: &self)
        guard let clients else { return }
        writeStaticString(key)
        var isFirst = true
        for entry in clients {
            writeStaticString(isFirst ? #"{"client":"# : #",{"client":"#)
            isFirst = false
            JSONWriter.writeClient(entry.client, into: &self)
            writeUserField(entry.user)
            if let info = entry.info {
                writeStaticString(#","info":"#)
                writeString(info)
            }
            writeInteger(UInt8(ascii: "}"))
        }
        writeInteger(UInt8(ascii: "]"))
    }

    /// The whole object of a page of history.
    mutating func writeHistoryPage(_ page: HistoryPage) {
        writeInteger(UInt8(ascii: "{"))
        writeRoomField(page.room)
        writePositionFields(page.position)
        writeStaticString(#","messages":["#)
        var isFirst = true
        for entry in page.entries {
            if !isFirst { writeInteger(UInt8(ascii: ",")) }
            isFirst = false
            entry.data.withUnsafeBytes { writeMessage(V1Message(entry, position: nil), data: $0) }
        }
        writeStaticString(page.hasMore ? #"],"more":true}"# : #"],"more":false}"#)
    }

    /// The whole object of what became of a message to a room.
    mutating func writePublication(_ room: RoomName, position: RoomPosition?, isRepetition: Bool) {
        writeInteger(UInt8(ascii: "{"))
        writeRoomField(room)
        writePositionFields(position)
        writeStaticString(isRepetition ? #","duplicate":true}"# : "}")
    }

    /// Whole seconds, rounded up: what has not ended yet never shows as 0.
    mutating func writeSeconds(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        JSONWriter.writeNumber(attoseconds > 0 && seconds < .max ? max(0, seconds) + 1 : max(0, seconds), into: &self)
    }

    /// Whole milliseconds, rounded up.
    mutating func writeMilliseconds(_ duration: Duration) {
        let whole = max(0, duration.milliseconds)
        JSONWriter.writeNumber(.milliseconds(whole) < duration && whole < .max ? whole + 1 : whole, into: &self)
    }
}
