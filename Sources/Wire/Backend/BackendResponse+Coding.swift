internal import Model
package import NIOCore

extension BackendResponse: Codable {
    package init(from decoder: any Decoder) throws {
        self = .encoded(try JSONText(from: decoder))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(String(buffer: encoded()))
    }

    /// The body of the HTTP response.
    package func encoded() -> ByteBuffer {
        var buffer = ByteBuffer()
        write(into: &buffer)
        return buffer
    }

    private func write(into buffer: inout ByteBuffer) {
        switch self {
        case .failure(let error):
            buffer.writeInteger(UInt8(ascii: "{"))
            buffer.writeError(error)
            buffer.writeInteger(UInt8(ascii: "}"))
        case .published(let publication): buffer.writePublication(publication)
        case .publishedMany(let publications):
            buffer.writeList(#"{"replies":["#, publications) { $0.writePublication($1) }
            buffer.writeInteger(UInt8(ascii: "}"))
        case .clients(let count):
            buffer.writeStaticString(#"{"clients":"#)
            JSONWriter.writeNumber(count, into: &buffer)
            buffer.writeInteger(UInt8(ascii: "}"))
        case .presence(let room, let members, let clients):
            buffer.writePresence(room, members, clients)
        case .presenceCount(let room, let members):
            buffer.writePresence(room, members, nil)
        case .history(let page): buffer.writeHistoryPage(page)
        case .historyRemoved(let room, let count):
            buffer.writeInteger(UInt8(ascii: "{"))
            buffer.writeRoomField(room)
            buffer.writeStaticString(#","removed":"#)
            JSONWriter.writeNumber(count, into: &buffer)
            buffer.writeInteger(UInt8(ascii: "}"))
        case .rooms(let rooms, let hasMore):
            buffer.writeList(#"{"rooms":["#, rooms) { $0.writeRoom($1) }
            buffer.writeStaticString(hasMore ? #","more":true}"# : #","more":false}"#)
        case .info(let info): buffer.writeInfo(info)
        case .batch(let responses):
            buffer.writeList(#"{"replies":["#, responses) { $1.write(into: &$0) }
            buffer.writeInteger(UInt8(ascii: "}"))
        case .encoded(let text): buffer.writeBytes(text.bytes)
        }
    }
}

extension ByteBuffer {
    /// `"error":{…}`.
    fileprivate mutating func writeError(_ error: BackendError) {
        writeStaticString(#""error":{"code":""#)
        writeString(error.code.rawValue)
        writeStaticString(#"","message":"#)
        JSONWriter.writeString(error.message, into: &self)
        writeInteger(UInt8(ascii: "}"))
    }

    fileprivate mutating func writeList<T>(
        _ start: StaticString, _ elements: [T], _ write: (inout ByteBuffer, T) -> Void
    ) {
        writeStaticString(start)
        for index in elements.indices {
            if index > 0 { writeInteger(UInt8(ascii: ",")) }
            write(&self, elements[index])
        }
        writeInteger(UInt8(ascii: "]"))
    }

    fileprivate mutating func writePublication(_ publication: BackendPublication) {
        guard let failure = publication.failure else {
            return writePublication(
                publication.room, position: publication.position, isRepetition: publication.isRepetition)
        }
        writeInteger(UInt8(ascii: "{"))
        writeRoomField(publication.room)
        writeInteger(UInt8(ascii: ","))
        writeError(failure)
        writeInteger(UInt8(ascii: "}"))
    }

    fileprivate mutating func writePresence(_ room: RoomName, _ members: Int, _ clients: [PresenceEntry]?) {
        writeInteger(UInt8(ascii: "{"))
        writeRoomField(room)
        writePresenceFields(members: members, clients: clients, key: #","clients":["#)
        writeInteger(UInt8(ascii: "}"))
    }

    fileprivate mutating func writeRoom(_ room: BackendRoom) {
        writeInteger(UInt8(ascii: "{"))
        writeRoomField(room.room)
        writeStaticString(#","members":"#)
        JSONWriter.writeNumber(room.members, into: &self)
        writePositionFields(room.position)
        writeInteger(UInt8(ascii: "}"))
    }

    fileprivate mutating func writeInfo(_ info: BackendInfo) {
        writeStaticString(#"{"version":"#)
        JSONWriter.writeString(info.version, into: &self)
        let figures: KeyValuePairs<StaticString, Int> = [
            #","workers":"#: info.workers, #","clients":"#: info.clients, #","users":"#: info.users,
            #","rooms":"#: info.rooms, #","historyRooms":"#: info.historyRooms,
            #","historyMessages":"#: info.historyMessages, #","historyBytes":"#: info.historyBytes,
        ]
        for (key, value) in figures {
            writeStaticString(key)
            JSONWriter.writeNumber(value, into: &self)
        }
        writeInteger(UInt8(ascii: "}"))
    }
}
