import Model
import NIOCore

/// What all connections of an event loop share for permessage-deflate: one decompressor, and for those without a window
/// of their own one compressor per number of window bits. All are made when first needed.
///
/// Used on one event loop only, with every connection that was given it.
package final class DeflatePool: @unchecked Sendable {
    /// Threshold, level and memory level; new ones count from the next message, and for connections that keep their
    /// window from their first one.
    package var configuration: CompressionConfiguration {
        didSet {
            guard configuration != oldValue else { return }
            deflaters.removeAll()
        }
    }

    /// Sums over all messages.
    package internal(set) var counters = DeflateCounters()

    private var inflater: Inflater?
    private var deflaters: [UInt8: Deflater] = [:]
    private var scratch = ByteBuffer()

    package init(_ configuration: CompressionConfiguration = CompressionConfiguration()) {
        self.configuration = configuration
    }

    /// Above this the space compressed messages are made in is given back, bytes.
    private static let keptScratch = 256 * 1024

    func inflate(_ compressed: ByteBuffer, window: ByteBuffer?, limit: Int) -> Inflater.Result? {
        if inflater == nil { inflater = Inflater() }
        let result = inflater?.inflate(compressed, window: window, limit: limit)
        if case .message(let message)? = result {
            counters.received.add(plain: message.readableBytes, compressed: compressed.readableBytes)
        }
        return result
    }

    func makeDeflater(windowBits: UInt8) -> Deflater? {
        Deflater(windowBits: windowBits, level: configuration.level, memoryLevel: configuration.memoryLevel)
    }

    /// A message compressed by itself; `nil` where that is below the threshold or no gain.
    func compressed<Result>(
        _ payload: ByteBuffer,
        windowBits: UInt8,
        _ body: (ByteBuffer) -> Result
    ) -> Result? {
        let length = payload.readableBytes
        guard length >= configuration.threshold, DeflateParameters.sendableWindowBits.contains(windowBits) else {
            return nil
        }
        if deflaters[windowBits] == nil { deflaters[windowBits] = makeDeflater(windowBits: windowBits) }
        guard let deflater = deflaters[windowBits] else { return nil }
        deflater.reset()
        return compressed(payload, limit: length - 1, with: deflater, body)
    }

    /// A message compressed with a stream of its own.
    func compressed<Result>(
        _ payload: ByteBuffer,
        limit: Int?,
        with deflater: Deflater,
        _ body: (ByteBuffer) -> Result
    ) -> Result? {
        scratch.clear()
        defer { if scratch.capacity > Self.keptScratch { scratch = ByteBuffer() } }
        guard deflater.deflate(payload, limit: limit, into: &scratch) else { return nil }
        counters.sent.add(plain: payload.readableBytes, compressed: scratch.readableBytes)
        return body(scratch)
    }
}

/// How much was compressed and decompressed.
package struct DeflateCounters: Equatable, Sendable, Codable {
    package struct Direction: Equatable, Sendable, Codable {
        package var messages: UInt64 = 0
        /// Bytes of payload as the application sees them.
        package var plainBytes: UInt64 = 0
        /// Bytes of payload as they travel.
        package var compressedBytes: UInt64 = 0

        mutating func add(plain: Int, compressed: Int) {
            messages &+= 1
            plainBytes &+= UInt64(clamping: plain)
            compressedBytes &+= UInt64(clamping: compressed)
        }
    }

    package var received = Direction()
    /// A message to many counts once for each time it was compressed.
    package var sent = Direction()
}
