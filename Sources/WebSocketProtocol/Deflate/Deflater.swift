import CZlib
import NIOCore

/// Compresses messages with one zlib stream (RFC 7692 section 7.2.1). Belongs to one event loop.
///
/// zlib takes 2^(windowBits + 2) + 2^(memoryLevel + 9) bytes for it (zconf.h) and about 6 KiB.
final class Deflater {
    private let stream: UnsafeMutablePointer<z_stream>

    /// `nil` where there is no memory for it. Values out of bounds are taken as the nearest bound.
    init?(windowBits: UInt8, level: Int, memoryLevel: Int) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let status = wsd_deflate_init_raw(
            stream,
            Int32((1...9).clamped(level)),
            Int32(DeflateParameters.sendableWindowBits.clamped(windowBits)),
            Int32((1...9).clamped(memoryLevel))
        )
        guard status == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Forgets what was compressed before.
    func reset() { deflateReset(stream) }

    /// Appends the compressed message without the four bytes every one ends with.
    /// - Parameter limit: bytes appended; `nil`: as many as come of it.
    /// - Returns: `false` where they are more, or zlib failed. `out` is undefined then, and the stream in need of
    ///   ``reset()``.
    func deflate(_ payload: ByteBuffer, limit: Int?, into out: inout ByteBuffer) -> Bool {
        // zlib has nothing to flush then (RFC 7692 section 7.2.3.6).
        guard payload.readableBytes > 0 else {
            guard limit ?? 1 >= 1 else { return false }
            out.writeInteger(UInt8(0))
            return true
        }
        let tail = Inflater.tail.count
        let start = out.writerIndex
        let isDone = payload.withUnsafeReadableBytes { bytes in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
            stream.pointee.avail_in = UInt32(clamping: bytes.count)
            defer { stream.pointee.next_in = nil }
            while true {
                let room = (limit ?? bytes.count &+ Self.overhead) &+ tail &- (out.writerIndex - start)
                guard limit == nil || room > 0 else { return false }
                out.reserveCapacity(minimumWritableBytes: (64...Self.chunkSize).clamped(room))
                var status = Z_OK
                out.writeWithUnsafeMutableBytes(minimumWritableBytes: 0) { free in
                    let size = limit == nil ? free.count : min(free.count, room)
                    stream.pointee.next_out = free.bindMemory(to: UInt8.self).baseAddress
                    stream.pointee.avail_out = UInt32(clamping: size)
                    let given = stream.pointee.avail_out
                    status = CZlib.deflate(stream, Z_SYNC_FLUSH)
                    stream.pointee.next_out = nil
                    return Int(given - stream.pointee.avail_out)
                }
                // Z_BUF_ERROR: all was flushed just when the room ended.
                guard status == Z_OK || status == Z_BUF_ERROR else { return false }
                if stream.pointee.avail_out > 0 { return stream.pointee.avail_in == 0 }
            }
        }
        let written = out.writerIndex - start
        guard isDone, written > tail else { return false }
        out.moveWriterIndex(to: out.writerIndex - tail)
        return true
    }

    /// Most bytes of memory taken at once for what comes out.
    private static let chunkSize = 64 * 1024
    /// What a message that cannot be compressed grows by at first guess.
    private static let overhead = 64

    /// The end of what was compressed, which the next message may refer to.
    func window() -> ByteBuffer {
        var out = ByteBufferAllocator().buffer(capacity: 1 << 15)
        out.writeWithUnsafeMutableBytes(minimumWritableBytes: 1 << 15) { free in
            var length: UInt32 = 0
            let status = deflateGetDictionary(stream, free.bindMemory(to: UInt8.self).baseAddress, &length)
            return status == Z_OK ? Int(length) : 0
        }
        return out
    }

    /// Lets the next message refer to `window`.
    /// - Returns: whether zlib has taken it; if not, the stream is as after ``reset()``.
    @discardableResult
    func begin(with window: ByteBuffer) -> Bool {
        reset()
        guard window.readableBytes > 0 else { return true }
        let taken = window.withUnsafeReadableBytes { bytes in
            let base = bytes.bindMemory(to: UInt8.self).baseAddress
            return deflateSetDictionary(stream, base, UInt32(clamping: bytes.count)) == Z_OK
        }
        if !taken { reset() }
        return taken
    }
}

extension Deflater {
    /// About what zlib takes for a stream, bytes (zconf.h).
    static func size(windowBits: UInt8, _ memoryLevel: Int) -> Int {
        let bits = Int(DeflateParameters.sendableWindowBits.clamped(windowBits))
        return 1 << (bits + 2) + 1 << ((1...9).clamped(memoryLevel) + 9) + 6 * 1024
    }
}
