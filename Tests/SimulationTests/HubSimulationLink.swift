import NIOCore

/// A Unix stream socket between a worker and the hub: what either end has written stays readable after that end has
/// died; what it had not yet written is lost with it.
final class SimulatedLink {
    /// Bytes one direction of the kernel's buffer takes.
    static let capacity = 600

    enum End {
        case worker, hub
    }

    private var toHub = ByteBuffer()
    private var toWorker = ByteBuffer()
    private(set) var workerClosed = false
    private(set) var hubClosed = false

    func close(_ end: End) {
        switch end {
        case .worker: workerClosed = true
        case .hub: hubClosed = true
        }
    }

    /// Moves bytes from `source` into the kernel, at most `limit`; how many it took.
    func write(from end: End, _ source: inout ByteBuffer, limit: Int) -> Int {
        let room = Self.capacity - (end == .worker ? toHub : toWorker).readableBytes
        let count = min(room, limit, source.readableBytes)
        guard count > 0, let bytes = source.readSlice(length: count) else { return 0 }
        if end == .worker { toHub.writeImmutableBuffer(bytes) } else { toWorker.writeImmutableBuffer(bytes) }
        return count
    }

    /// Up to `limit` bytes for `end`; `nil` at the end of the stream.
    func read(at end: End, limit: Int) -> ByteBuffer? {
        let isHub = end == .hub
        let available = (isHub ? toHub : toWorker).readableBytes
        if available == 0, isHub ? workerClosed : hubClosed { return nil }
        let count = min(limit, available)
        let slice = isHub ? toHub.readSlice(length: count) : toWorker.readSlice(length: count)
        return ByteBuffer(bytes: (slice ?? ByteBuffer()).readableBytesView)
    }
}

/// SplitMix64: small, fast, and the same on every machine for one seed.
struct SimulationGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
