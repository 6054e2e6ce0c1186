/// A name that is what its bytes are.
///
/// `String` would also take canonically equivalent spellings for one, at the price of normalising on every look-up, and
/// clients compare names by code units.
package protocol ExactText: Hashable, Sendable, CustomStringConvertible {
    var text: String { get }
}

extension ExactText {
    package var description: String { text }

    package static func == (lhs: Self, rhs: Self) -> Bool {
        let isSame = lhs.text.utf8.withContiguousStorageIfAvailable { left in
            rhs.text.utf8.withContiguousStorageIfAvailable { right in
                areEqual(UnsafeRawBufferPointer(left), UnsafeRawBufferPointer(right))
            }
        }
        return (isSame ?? nil) ?? lhs.text.utf8.elementsEqual(rhs.text.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        let hashed: Void? = text.utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        guard hashed == nil else { return }
        for byte in text.utf8 { hasher.combine(byte) }
    }
}

/// Eight bytes at a time: names are compared for every message.
private func areEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    guard left.count == right.count else { return false }
    var index = 0
    while left.count - index >= 8 {
        let isSame =
            left.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            == right.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        if !isSame { return false }
        index += 8
    }
    while index < left.count {
        if left[index] != right[index] { return false }
        index += 1
    }
    return true
}

/// The name of a room: UTF-8 of at most `rooms.maxNameLength` bytes, never empty.
package struct RoomName: ExactText, Codable {
    package let text: String

    /// Takes any text; the bounds are the dialect's to check.
    package init(_ text: String) {
        self.text = text
    }
}

/// Who an authenticated client is: the token's `sub`, or what a connect webhook said. At most ``maxLength`` bytes of
/// UTF-8, never empty. One user may have many connections.
package struct UserName: ExactText, Codable {
    /// Bytes; a longer one is refused where it comes from.
    package static let maxLength = 256

    package let text: String

    package init(_ text: String) {
        self.text = text
    }
}
