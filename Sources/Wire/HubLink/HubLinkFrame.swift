package import Model
package import NIOCore

/// What a worker tells the hub. Order on a link: `hello`, any number of `client`, any number of `register` and
/// `position`, `snapshotEnd`, then operations.
package enum WorkerFrame: Equatable, Sendable {
    /// First frame. `version` is ``WsdVersion/link``; the hub ends a link that speaks another one.
    case hello(version: UInt16, boot: BootID, slot: Int)
    /// Snapshot: a connected client.
    case client(UInt64, ClientRegistration)
    /// Snapshot: clients of this worker that are members of a room. A room may come in several pieces. Never
    /// announced.
    case register(room: RoomName, clients: [UInt64])
    /// Snapshot: how far this worker's members of a room with history have been delivered it.
    case position(room: RoomName, RoomPosition)
    /// The snapshot is whole. Operations up to `replayThrough` happened before it was taken: the hub announces and
    /// delivers them, but the membership they lead to is the snapshot's. 0: there are none.
    case snapshotEnd(replayThrough: UInt64)
    /// `payload`: the data of a publication, or a backend request (a slice of the bytes received); else empty.
    case operation(HubOperation, payload: ByteBuffer)
}

/// What the hub tells a worker.
package enum HubFrame: Equatable, Sendable {
    /// The worker is registered and its operations are being taken. `isLate`: others' were before that, and what this
    /// worker's members should have got of them is lost, except in rooms with history.
    case welcome(version: UInt16, boot: BootID, isLate: Bool)
    /// Cumulative. `acknowledged`: ordered and queued for every link that needs it. `settled` (≤ `acknowledged`):
    /// handed to the kernel for every such link, so that it survives the hub and may be forgotten.
    case ack(acknowledged: UInt64, settled: UInt64)
    /// `payload`: what ``HubDeliveryKind`` says (a slice of the bytes received).
    case delivery(HubDelivery, payload: ByteBuffer)
    /// Before the acknowledgement that covers `sequence`.
    case reply(sequence: UInt64, HubReply)
    case command(HubCommand)
}

/// The bytes are no frame of the hub link. The link cannot be read on and has to be closed.
package enum HubLinkError: Error, Hashable, Sendable {
    case frameTooLong(Int)
    case unknownType(UInt8)
    case malformed(type: UInt8)
}
