internal import Model
internal import NIOCore

/// The head of a message's JSON object: live, missed, or in a page of history.
struct V1Message {
    /// Up to the key `type`, with the brace that begins the object.
    var head: StaticString
    var room: RoomName?
    var position: RoomPosition?
    /// Instead of ``position``, where the epoch stands elsewhere.
    var offset: UInt64?
    var id: MessageID?
    var subject: ClientID
    var user: UserName?
    /// Milliseconds since 1970; 0: not told.
    var time: Int64

    init(_ delivery: HubDelivery, head: StaticString, room: RoomName?) {
        self.head = head
        self.room = room
        position = delivery.position
        id = delivery.messageID
        subject = delivery.subject
        user = delivery.user
        time = delivery.time
    }

    /// `position`: where it is an event of its own; `nil`: part of a page.
    init(_ entry: HistoryEntry, position: (room: RoomName, epoch: RoomEpoch)?) {
        head = position == nil ? "{" : #"{"type":"message""#
        room = position?.room
        self.position = position.map { RoomPosition(epoch: $0.epoch, offset: entry.offset) }
        offset = position == nil ? entry.offset : nil
        id = entry.messageID
        subject = entry.subject
        user = entry.user
        time = entry.time
    }

    /// Bytes of all keys, braces, commas and numbers, whatever there is of them.
    private static let fixedSpace = 320

    var space: Int {
        Self.fixedSpace + ByteCursor.room(room?.text) + ByteCursor.room(id?.text) + ByteCursor.room(user?.text)
    }
}

extension ByteBuffer {
    /// The whole object of a message, in one pass.
    mutating func writeMessage(_ message: borrowing V1Message, data: UnsafeRawBufferPointer) {
        writeAtOnce(space: message.space + data.count) { cursor in
            cursor.put(message.head)
            if let room = message.room {
                cursor.put(#","room":"#)
                cursor.putString(room.text)
            }
            if let position = message.position {
                cursor.put(#","epoch":""#)
                cursor.putBase32(position.epoch.rawValue)
                cursor.put(#"","offset":"#)
                cursor.putNumber(position.offset)
            } else if let offset = message.offset {
                cursor.put(#""offset":"#)
                cursor.putNumber(offset)
            }
            if let id = message.id {
                cursor.put(#","id":"#)
                cursor.putString(id.text)
            }
            cursor.putFrom(message.subject, message.user)
            if message.time != 0 {
                cursor.put(#","time":"#)
                cursor.putNumber(message.time)
            }
            cursor.put(#","data":"#)
            cursor.put(data)
            cursor.put(UInt8(ascii: "}"))
        }
    }
}

extension ByteCursor {
    /// Nobody (serial 0 without a user) is no `from`.
    fileprivate mutating func putFrom(_ subject: ClientID, _ user: UserName?) {
        let isClient = subject.serial != 0
        guard isClient || user != nil else { return }
        put(#","from":{"#)
        if isClient {
            put(#""client":"#)
            putClient(subject)
        }
        if let user {
            put(isClient ? #","user":"# : #""user":"#)
            putString(user.text)
        }
        put(UInt8(ascii: "}"))
    }
}
