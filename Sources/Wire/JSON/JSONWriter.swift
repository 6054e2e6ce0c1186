package import Model
package import NIOCore

/// Writes JSON strings, numbers and identifiers without making a string of them first.
package enum JSONWriter {
    /// Appends `text` as a JSON string, quotation marks included. Only what must be is escaped (RFC 8259 section 7).
    package static func writeString(_ text: String, into buffer: inout ByteBuffer) {
        buffer.writeAtOnce(space: ByteCursor.room(text)) { $0.putString(text) }
    }

    /// Appends a whole number.
    package static func writeNumber(_ value: UInt64, into buffer: inout ByteBuffer) {
        buffer.writeAtOnce(space: ByteCursor.maxDigits) { $0.putNumber(value) }
    }

    /// Appends a whole number.
    package static func writeNumber(_ value: some SignedInteger & FixedWidthInteger, into buffer: inout ByteBuffer) {
        buffer.writeAtOnce(space: 1 + ByteCursor.maxDigits) { $0.putNumber(Int64(clamping: value)) }
    }

    /// Appends a client's id as a JSON string.
    package static func writeClient(_ client: ClientID, into buffer: inout ByteBuffer) {
        buffer.writeAtOnce(space: 3 + 2 * ByteCursor.maxBase32) { $0.putClient(client) }
    }

    /// Appends a number of 64 random bits as a JSON string: a session or an epoch.
    package static func writeBase32(_ value: UInt64, into buffer: inout ByteBuffer) {
        buffer.writeAtOnce(space: 2 + ByteCursor.maxBase32) { cursor in
            cursor.put(UInt8(ascii: "\""))
            cursor.putBase32(value)
            cursor.put(UInt8(ascii: "\""))
        }
    }
}
