package import Model

/// Drops what a worker was given before: deliveries of one origin only ever come with growing sequences, save for
/// what is replayed after the hub was lost.
package struct DeliveryFilter {
    /// Origins remembered. There is one for each boot of a worker or hub that delivered anything; the longest silent
    /// one is forgotten first.
    package static let maxOrigins = 4096

    private struct Seen {
        var sequence: UInt64
        var lastUse: UInt64
    }

    private let capacity: Int
    private var origins: [BootID: Seen] = [:]
    private var uses: UInt64 = 0

    package init(capacity: Int = DeliveryFilter.maxOrigins) {
        self.capacity = max(1, capacity)
    }

    package var count: Int { origins.count }

    /// Whether this delivery is new; it counts as seen from now on.
    package mutating func admit(origin: BootID, sequence: UInt64) -> Bool {
        uses += 1
        let isNew: Bool? = { (seen: inout Seen?) -> Bool? in
            guard let last = seen?.sequence else { return nil }
            guard sequence > last else { return false }
            seen?.sequence = sequence
            seen?.lastUse = uses
            return true
        }(&origins[origin])
        if let isNew { return isNew }
        if origins.count >= capacity, let oldest = origins.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            origins[oldest.key] = nil
        }
        origins[origin] = Seen(sequence: sequence, lastUse: uses)
        return true
    }
}
