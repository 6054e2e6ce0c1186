/// Masks and unmasks payloads (RFC 6455 section 5.3; both are the same operation).
enum Masking {
    /// Masks `bytes` in place, 32 at a time, whatever their alignment.
    /// - Parameter key: the four bytes of the masking key, read little-endian.
    /// - Returns: whether all bytes are ASCII afterwards, so that text need not be looked at again.
    @discardableResult
    static func apply(_ key: UInt32, to bytes: UnsafeMutableRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        let wide = UInt64(key) | UInt64(key) << 32
        let lanes = SIMD4<UInt64>(repeating: wide.littleEndian)
        let count = bytes.count
        var seen = SIMD4<UInt64>(repeating: 0)
        var index = 0
        while count &- index >= 32 {
            let value = base.loadUnaligned(fromByteOffset: index, as: SIMD4<UInt64>.self) ^ lanes
            base.storeBytes(of: value, toByteOffset: index, as: SIMD4<UInt64>.self)
            seen |= value
            index &+= 32
        }
        var rest = seen[0] | seen[1] | seen[2] | seen[3]
        while count &- index >= 8 {
            let value = base.loadUnaligned(fromByteOffset: index, as: UInt64.self) ^ wide.littleEndian
            base.storeBytes(of: value, toByteOffset: index, as: UInt64.self)
            rest |= value
            index &+= 8
        }
        var tail = wide
        while index < count {
            let value = base.load(fromByteOffset: index, as: UInt8.self) ^ UInt8(truncatingIfNeeded: tail)
            base.storeBytes(of: value, toByteOffset: index, as: UInt8.self)
            rest |= UInt64(value)
            tail >>= 8
            index &+= 1
        }
        return rest & 0x8080_8080_8080_8080 == 0
    }
}
