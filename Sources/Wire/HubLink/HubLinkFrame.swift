package import Model
package import NIOCore

/// What a worker tells the hub. Order on a link: `hello`, any number of `register`, `snapshotEnd`, then operations.
package enum WorkerFrame: Equatable, Sendable {
    /// First frame. `version` is ``WsdVersion/link``; the hub ends a link that speaks another one.
    case hello(version: UInt16, boot: BootID, slot: Int)
    /// Snapshot: clients of this worker that are members of a room. A room may come in several pieces. Never
    /// announced.
    case register(room: RoomName, clients: [UInt64])
    /// The snapshot is whole. Operations up to `replayThrough` happened before it was taken: the hub announces and
    /// delivers them, but the membership they lead to is the snapshot's. 0: there are none.
    case snapshotEnd(replayThrough: UInt64)
    /// Sequences only grow on one link; gaps mean operations that were given up before they were sent.
    case operation(HubOperationFrame)
}

/// One thing a client did. `client` is the serial number within the worker's boot.
package struct HubOperationFrame: Equatable, Sendable {
    package var sequence: UInt64
    package var kind: HubOperationKind
    package var client: UInt64
    /// Empty for a broadcast.
    package var room: RoomName
    /// Data of a publication (a slice of the bytes received); empty otherwise.
    package var payload: ByteBuffer

    package init(sequence: UInt64, kind: HubOperationKind, client: UInt64, room: RoomName, payload: ByteBuffer) {
        self.sequence = sequence
        self.kind = kind
        self.client = client
        self.room = room
        self.payload = payload
    }
}

/// What the hub tells a worker.
package enum HubFrame: Equatable, Sendable {
    /// The worker is registered and its operations are being taken. `isLate`: others' were before that, and what this
    /// worker's members should have got of them is lost.
    case welcome(version: UInt16, boot: BootID, isLate: Bool)
    /// Cumulative. `acknowledged`: ordered and queued for every link that needs it. `settled` (≤ `acknowledged`):
    /// handed to the kernel for every such link, so that it survives the hub and may be forgotten.
    case ack(acknowledged: UInt64, settled: UInt64)
    case delivery(HubDeliveryFrame)
}

/// Something that members of a room (or all clients) are to be told.
package struct HubDeliveryFrame: Equatable, Sendable {
    package var delivery: HubDelivery
    /// Data of a publication (a slice of the bytes received); empty otherwise.
    package var payload: ByteBuffer

    package init(delivery: HubDelivery, payload: ByteBuffer) {
        self.delivery = delivery
        self.payload = payload
    }
}

/// The bytes are no frame of the hub link. The link cannot be read on and has to be closed.
package enum HubLinkError: Error, Hashable, Sendable {
    case frameTooLong(Int)
    case unknownType(UInt8)
    case malformed(type: UInt8)
}
