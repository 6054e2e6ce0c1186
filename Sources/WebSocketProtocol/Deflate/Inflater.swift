import CZlib
import NIOCore

/// Decompresses messages one by one with one zlib stream (RFC 7692 section 7.2.2), whosever they are: what a message may
/// refer to is handed in as `window`. Belongs to one event loop.
final class Inflater {
    enum Result {
        case message(ByteBuffer)
        /// More than `limit` bytes come of it.
        case tooBig
        /// Not what permessage-deflate makes of a message.
        case invalid
    }

    /// Most bytes of memory taken at once for what comes out.
    static let chunkSize = 64 * 1024
    /// What the sender has taken off the end (RFC 7692 section 7.2.1).
    static let tail: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]

    private let stream: UnsafeMutablePointer<z_stream>

    /// `nil` where there is no memory for it.
    init?() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard wsd_inflate_init_raw(stream, 15) == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// - Parameters:
    ///   - compressed: payloads of all frames of the message.
    ///   - window: the end of the earlier messages, as far as the sender may refer to them.
    ///   - limit: bytes of the message. Memory taken: that, `chunkSize`, and what an allocation is rounded up by.
    func inflate(_ compressed: ByteBuffer, window: ByteBuffer?, limit: Int) -> Result {
        // No encoder makes this of an empty message, but some send it so.
        guard compressed.readableBytes > 0 else { return .message(ByteBuffer()) }
        guard begin(window) else { return .invalid }
        let guess = max(256, compressed.readableBytes.multipliedReportingOverflow(by: 4).partialValue)
        var out = ByteBufferAllocator().buffer(capacity: max(0, min(limit, guess, Self.chunkSize)))
        // Many final blocks are allowed (RFC 7692 section 7.2.3.4); a whole message may end with one.
        let (status, isWhole) = compressed.withUnsafeReadableBytes { feed($0, limit: limit, into: &out) }
        guard status == Z_OK else { return status == Z_BUF_ERROR ? .tooBig : .invalid }
        if isWhole { return .message(out) }
        let end = Self.tail.withUnsafeBytes { feed($0, limit: limit, into: &out) }
        guard end.status == Z_OK else { return end.status == Z_BUF_ERROR ? .tooBig : .invalid }
        // All bits used, and directly behind a block that was not the last one.
        guard end.isWhole || stream.pointee.data_type == 128 else { return .invalid }
        return .message(out)
    }

    private func begin(_ window: ByteBuffer?) -> Bool {
        guard inflateReset(stream) == Z_OK else { return false }
        guard let window, window.readableBytes > 0 else { return true }
        return window.withUnsafeReadableBytes { bytes in
            guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return true }
            return inflateSetDictionary(stream, base, UInt32(clamping: bytes.count)) == Z_OK
        }
    }

    /// Decompresses all of `bytes`.
    /// - Returns: `Z_OK`; `Z_BUF_ERROR` where more than `limit` bytes come of it; an error of zlib. `isWhole`: the bytes
    ///   end with a last block.
    private func feed(
        _ bytes: UnsafeRawBufferPointer,
        limit: Int,
        into out: inout ByteBuffer
    ) -> (status: Int32, isWhole: Bool) {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(clamping: bytes.count)
        defer { stream.pointee.next_in = nil }
        while true {
            // One byte above the limit shows that there is more.
            let room = limit &+ 1 &- out.readableBytes
            guard room > 0 else { return (Z_BUF_ERROR, false) }
            if out.writableBytes == 0 { out.reserveCapacity(minimumWritableBytes: min(room, Self.chunkSize)) }
            var status = Z_OK
            out.writeWithUnsafeMutableBytes(minimumWritableBytes: 0) { free in
                let size = min(free.count, room)
                stream.pointee.next_out = free.bindMemory(to: UInt8.self).baseAddress
                stream.pointee.avail_out = UInt32(clamping: size)
                let given = stream.pointee.avail_out
                status = CZlib.inflate(stream, Z_SYNC_FLUSH)
                stream.pointee.next_out = nil
                return Int(given - stream.pointee.avail_out)
            }
            guard out.readableBytes <= limit else { return (Z_BUF_ERROR, false) }
            switch status {
            case Z_STREAM_END:
                // Another stream may follow; it may refer to the window all the same.
                guard inflateResetKeep(stream) == Z_OK else { return (Z_DATA_ERROR, false) }
                if stream.pointee.avail_in == 0 { return (Z_OK, true) }
            case Z_OK, Z_BUF_ERROR:
                // No more room: go on. Else all input is used.
                if stream.pointee.avail_out > 0 {
                    return (stream.pointee.avail_in == 0 ? Z_OK : Z_DATA_ERROR, false)
                }
            default:
                return (status == Z_BUF_ERROR ? Z_DATA_ERROR : status, false)
            }
        }
    }
}
