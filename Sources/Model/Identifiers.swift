/// One life of a worker or hub process. Random per process, so that a successor is never mistaken for its predecessor.
package struct BootID: Hashable, Sendable, Codable, CustomStringConvertible {
    package var rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package var description: String { Base32.encode(rawValue) }
}

/// One WebSocket connection: the boot of the worker that accepted it and a serial number there.
///
/// Its text form (`clientId` in every dialect) is opaque to clients: `<boot>-<serial>` in lower-case base 32.
package struct ClientID: Hashable, Sendable, Codable, CustomStringConvertible {
    package var boot: BootID
    /// 1 for the worker's first client; never used twice within a boot.
    package var serial: UInt64

    package init(boot: BootID, serial: UInt64) {
        self.boot = boot
        self.serial = serial
    }

    /// Reads the text form; `nil` when it is not one.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let boot = Base32.decode(parts[0]), let serial = Base32.decode(parts[1]) else {
            return nil
        }
        self.init(boot: BootID(rawValue: boot), serial: serial)
    }

    package var description: String { "\(boot)-\(Base32.encode(serial))" }
}

/// Crockford's base 32, lower case, without leading zeros: digits that are not mistaken for one another when read aloud.
package enum Base32 {
    private static let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
    /// Digits of the largest number.
    package static let maxLength = 13

    /// Digits of a number; at least one.
    package static func length(of value: UInt64) -> Int {
        max(1, (UInt64.bitWidth - value.leadingZeroBitCount + 4) / 5)
    }

    /// Writes the digits of a number. `space`: as many bytes as ``length(of:)`` says.
    package static func write(_ value: UInt64, to space: UnsafeMutableRawBufferPointer) {
        var rest = value
        digits.withUnsafeBufferPointer { digits in
            for index in space.indices.reversed() {
                space[index] = digits[Int(rest & 31)]
                rest >>= 5
            }
        }
    }

    static func encode(_ value: UInt64) -> String {
        String(unsafeUninitializedCapacity: maxLength) { space in
            let length = length(of: value)
            write(value, to: UnsafeMutableRawBufferPointer(start: space.baseAddress, count: length))
            return length
        }
    }

    static func decode(_ text: some StringProtocol) -> UInt64? {
        guard !text.isEmpty else { return nil }
        var value: UInt64 = 0
        for byte in text.utf8 {
            guard let digit = digits.firstIndex(of: byte), value <= UInt64.max >> 5 else { return nil }
            value = value << 5 | UInt64(digit)
        }
        return value
    }
}

/// The processes that make up the service, apart from the supervisor itself.
package enum ChildRole: String, Hashable, Sendable, Codable {
    case hub
    case worker
}

/// A place in the fleet that one living process at a time is to fill. The number is what an operator types.
package struct SlotID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package var role: ChildRole
    /// Workers count from 1; the hub is always 0.
    package var number: Int

    package init(role: ChildRole, number: Int) {
        self.role = role
        self.number = number
    }

    package static let hub = SlotID(role: .hub, number: 0)

    package static func worker(_ number: Int) -> SlotID { SlotID(role: .worker, number: number) }

    package static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.role == .hub ? 0 : 1, lhs.number) < (rhs.role == .hub ? 0 : 1, rhs.number)
    }

    package var description: String { role == .hub ? "hub" : "worker \(number)" }
}

/// One spawned process of a slot. Counts from 1 over the supervisor's life and is never used twice, unlike a pid.
package struct InstanceID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package var rawValue: Int

    package init(rawValue: Int) {
        self.rawValue = rawValue
    }

    package static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }

    package var description: String { "#\(rawValue)" }
}
