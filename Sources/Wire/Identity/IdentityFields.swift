internal import FoundationEssentials
package import Model

/// What a token's claims and a connect webhook's answer say alike of who a client is and what it may do. Nothing is
/// overlooked: a field that is not what it has to be makes the whole unusable.
package struct IdentityFields: Hashable, Sendable {
    /// Rooms a client is made a member of at once.
    package static let maxRooms = 1000
    package static let maxGrants = 256
    /// Bytes of a pattern, and of a room's name whatever the configuration allows.
    package static let maxNameLength = 1024
    /// 31 December 9999: later ends are this one, so that nobody's arithmetic overflows.
    package static let latestEnd = 253_402_300_799.0

    package var user: UserName?
    package var info: String?
    package var rooms: [RoomName] = []
    package var grants: [RoomGrant] = []
    /// Seconds since 1970.
    package var expiresAt: Double?

    package init() {}

    /// 1…``UserName/maxLength`` bytes of text; `null`: anonymous.
    package mutating func readUser(_ value: JSONSlice, in bytes: UnsafeRawBufferPointer) -> Bool {
        user = nil
        if value.kind == .null { return true }
        guard let text = JSONString.text(value, in: bytes), (1...UserName.maxLength).contains(text.utf8.count) else {
            return false
        }
        user = UserName(text)
        return true
    }

    /// Any JSON of at most ``ClientIdentity/maxInfoLength`` bytes; `null`: none.
    package mutating func readInfo(_ value: JSONSlice, in bytes: UnsafeRawBufferPointer) -> Bool {
        info = nil
        if value.kind == .null { return true }
        guard value.range.count <= ClientIdentity.maxInfoLength else { return false }
        info = String(decoding: bytes[value.range], as: UTF8.self)
        return true
    }

    /// A list of names.
    package mutating func readRooms(_ value: JSONSlice, in bytes: UnsafeRawBufferPointer) -> Bool {
        rooms = []
        if value.kind == .null { return true }
        guard let names = Self.decode([String].self, value, bytes), names.count <= Self.maxRooms,
            names.allSatisfy({ (1...Self.maxNameLength).contains($0.utf8.count) })
        else { return false }
        rooms = names.map { RoomName($0) }
        return true
    }

    /// A list of `{"rooms": <pattern>, "allow": [<right>, …]}`.
    package mutating func readRights(_ value: JSONSlice, in bytes: UnsafeRawBufferPointer) -> Bool {
        grants = []
        if value.kind == .null { return true }
        guard let read = Self.decode([RoomGrant].self, value, bytes), read.count <= Self.maxGrants,
            read.allSatisfy({ (1...Self.maxNameLength).contains($0.rooms.utf8.count) })
        else { return false }
        grants = read
        return true
    }

    /// A number of seconds since 1970, with a fraction or not; `null`: no end.
    package mutating func readEnd(_ value: JSONSlice, in bytes: UnsafeRawBufferPointer) -> Bool {
        expiresAt = nil
        if value.kind == .null { return true }
        guard let seconds = Self.seconds(value, in: bytes) else { return false }
        expiresAt = min(seconds, Self.latestEnd)
        return true
    }

    /// A finite number.
    package static func seconds(_ value: JSONSlice, in bytes: UnsafeRawBufferPointer) -> Double? {
        guard value.kind == .number, value.range.count <= 64 else { return nil }
        let number = Double(String(decoding: bytes[value.range], as: UTF8.self))
        return number.flatMap { $0.isFinite ? $0 : nil }
    }

    /// A text, or the texts of a list (`aud` of RFC 7519 section 4.1.3).
    package static func texts(_ value: JSONSlice, in bytes: UnsafeRawBufferPointer) -> [String]? {
        if value.kind == .string { return JSONString.text(value, in: bytes).map { [$0] } }
        return decode([String].self, value, bytes)
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, _ value: JSONSlice, _ bytes: UnsafeRawBufferPointer
    ) -> Value? {
        guard value.kind == .array else { return nil }
        return try? JSONDecoder().decode(type, from: Data(bytes[value.range]))
    }
}
