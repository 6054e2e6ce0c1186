/// The name of a room: UTF-8 of at most `rooms.maxNameLength` bytes, never empty.
///
/// Two names are the same when their bytes are. `String` would also take canonically equivalent spellings for one, at
/// the price of normalising on every look-up, and clients compare names by code units.
package struct RoomName: Sendable, CustomStringConvertible {
    package let text: String

    /// Takes any text; the bounds are the dialect's to check.
    package init(_ text: String) {
        self.text = text
    }

    package var description: String { text }
}

extension RoomName: Hashable {
    package static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.text.utf8.elementsEqual(rhs.text.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        let hashed: Void? = text.utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        guard hashed == nil else { return }
        for byte in text.utf8 { hasher.combine(byte) }
    }
}
