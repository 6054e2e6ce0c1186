/// SHA-1 (RFC 3174), which the handshake's accept key is made with. It protects nothing there.
struct SHA1 {
    private var state: (UInt32, UInt32, UInt32, UInt32, UInt32) = (
        0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0
    )

    /// The 20 bytes of the digest over `bytes` and then `suffix`.
    static func digest(_ bytes: some Collection<UInt8>, followedBy suffix: StaticString = "") -> [UInt8] {
        let length = bytes.count + suffix.utf8CodeUnitCount
        let padded = (length + 9 + 63) / 64 * 64
        var hash = SHA1()
        withUnsafeTemporaryAllocation(byteCount: padded, alignment: 4) { buffer in
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            for (index, byte) in bytes.enumerated() { buffer[index] = byte }
            for index in 0..<suffix.utf8CodeUnitCount { buffer[bytes.count + index] = suffix.utf8Start[index] }
            buffer[length] = 0x80
            buffer.storeBytes(of: (UInt64(length) * 8).bigEndian, toByteOffset: padded - 8, as: UInt64.self)
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 80) { schedule in
                for block in stride(from: 0, to: padded, by: 64) {
                    for word in 0..<16 {
                        let value = buffer.loadUnaligned(fromByteOffset: block + word * 4, as: UInt32.self)
                        schedule[word] = UInt32(bigEndian: value)
                    }
                    hash.process(schedule)
                }
            }
        }
        return hash.bytes
    }

    private var bytes: [UInt8] {
        [state.0, state.1, state.2, state.3, state.4].flatMap { word in
            stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> $0) }
        }
    }

    /// One block of 64 bytes, whose words are the first sixteen of `schedule`.
    private mutating func process(_ schedule: UnsafeMutableBufferPointer<UInt32>) {
        for index in 16..<80 {
            let mixed = schedule[index - 3] ^ schedule[index - 8] ^ schedule[index - 14] ^ schedule[index - 16]
            schedule[index] = mixed << 1 | mixed >> 31
        }
        var (a, b, c, d, e) = state
        for index in 0..<80 {
            let (function, constant): (UInt32, UInt32) =
                switch index {
                case 0..<20: ((b & c) | (~b & d), 0x5A82_7999)
                case 20..<40: (b ^ c ^ d, 0x6ED9_EBA1)
                case 40..<60: ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC)
                default: (b ^ c ^ d, 0xCA62_C1D6)
                }
            let next = (a << 5 | a >> 27) &+ function &+ e &+ constant &+ schedule[index]
            (e, d, c, b, a) = (d, c, b << 30 | b >> 2, a, next)
        }
        state = (state.0 &+ a, state.1 &+ b, state.2 &+ c, state.3 &+ d, state.4 &+ e)
    }
}
