package import Model

/// A worker's half of the realtime service: its clients' rooms, the operations it holds for the hub, and what it
/// takes from the hub. Decides everything, does no I/O.
///
/// `Member` is the driver's handle of a connection, `Frame` an encoded operation. The order of calls for a link:
/// ``beginLink()``, ``forEachRoom(_:)`` (the snapshot), then ``takeUnsent(_:)`` at the end of every turn of the event
/// loop with ``hasUnsent``; ``linkLost()`` when it ends. A client's local membership is what counts: it changes at
/// once, the hub's view follows, so nothing that the hub orders after a join can miss the new member.
///
/// The closures it takes are called before the method returns and must not call back into it: collect, then act.
package struct WorkerRealtime<Member, Frame> {
    /// Bounds; all from the configuration.
    package struct Limits: Sendable {
        /// `rooms.maxPerClient`.
        package var roomsPerClient: Int
        /// `hub.heldBytes`.
        package var heldBytes: Int
        /// `hub.requestTimeout`.
        package var requestTimeout: Duration

        package init(roomsPerClient: Int, heldBytes: Int, requestTimeout: Duration) {
            self.roomsPerClient = roomsPerClient
            self.heldBytes = heldBytes
            self.requestTimeout = requestTimeout
        }

        package init(_ configuration: WsdConfiguration) {
            self.init(
                roomsPerClient: configuration.rooms.maxPerClient, heldBytes: configuration.hub.heldBytes,
                requestTimeout: configuration.hub.requestTimeout)
        }
    }

    package let boot: BootID
    package private(set) var rooms = LocalRooms<Member>()
    private var limits: Limits
    private var held: HeldOperations<Frame, PendingRequest>
    private var filter = DeliveryFilter()
    private var link = Link.down
    /// A hub has said welcome at some time.
    private var wasWelcome = false

    private enum Link {
        case down
        /// Connected: snapshot and operations are sent, the hub has not answered.
        case registering
        case up
    }

    package init(boot: BootID, limits: Limits) {
        self.boot = boot
        self.limits = limits
        held = HeldOperations(capacity: limits.heldBytes)
    }

    /// After a reload of the configuration.
    package mutating func setLimits(_ limits: Limits) {
        self.limits = limits
        held.capacity = limits.heldBytes
    }

    /// The hub has said welcome on the present link.
    package var isUp: Bool { link == .up }

    /// Operations held for the hub.
    package var heldCount: Int { held.count }

    /// Bytes held for the hub, acknowledged ones included.
    package var heldBytes: Int { held.pendingBytes + held.unsettledBytes }

    /// Acknowledged operations forgotten before they were settled (``HeldOperations``).
    package var forgottenCount: Int { held.forgotten }
}

/// An operation for the hub, to be encoded.
package struct HubOperation: Hashable, Sendable {
    package var sequence: UInt64
    package var kind: HubOperationKind
    package var client: UInt64
    /// Empty for a broadcast.
    package var room: RoomName

    package init(sequence: UInt64, kind: HubOperationKind, client: UInt64, room: RoomName) {
        self.sequence = sequence
        self.kind = kind
        self.client = client
        self.room = room
    }
}

/// A client's request that waits for the hub.
package struct PendingRequest: Hashable, Sendable {
    package var client: UInt64
    /// `nil`: the client did not ask for an answer.
    package var id: RequestID?
    package var command: ClientCommand

    package init(client: UInt64, id: RequestID?, command: ClientCommand) {
        self.client = client
        self.id = id
        self.command = command
    }
}

/// What becomes of a client's command.
package enum CommandOutcome: Hashable, Sendable {
    /// Given to the hub; the answer, if one is asked for, comes by
    /// ``WorkerRealtime/acknowledge(acknowledged:settled:answer:)`` or ``WorkerRealtime/expire(now:tell:)``.
    case accepted
    /// It was so already: answer success now, if an answer is asked for.
    case done
    /// Tell the client why not.
    case refused(ClientErrorCode)
}

// MARK: - Clients

extension WorkerRealtime {
    /// Carries out a client's command. `encode` turns the operation (with the data of a publication, `payloadBytes`
    /// long) into its frame and the frame's size in bytes; it is called at most once, before this returns.
    package mutating func execute(
        _ command: ClientCommand, client: UInt64, member: Member, request: RequestID?, payloadBytes: Int,
        now: MonotonicTime, encode: (HubOperation) -> (frame: Frame, bytes: Int)
    ) -> CommandOutcome {
        let pending = PendingRequest(client: client, id: request, command: command)
        switch command {
        case .join(let room):
            if rooms.contains(client, in: room) { return confirm(pending, now: now, encode: encode) }
            guard rooms.roomCount(of: client) < limits.roomsPerClient else { return .refused(.tooManyRooms) }
            guard submit(.join, pending, payloadBytes: 0, now: now, encode: encode) else {
                return .refused(.unavailable)
            }
            _ = rooms.join(room, client: client, member: member)
            return .accepted
        case .leave(let room):
            guard rooms.leave(room, client: client) else { return confirm(pending, now: now, encode: encode) }
            append(.leave, pending, deadline: request.map { _ in now + limits.requestTimeout }, encode: encode)
            return .accepted
        case .send:
            let taken = submit(.publish, pending, payloadBytes: payloadBytes, now: now, encode: encode)
            return taken ? .accepted : .refused(.unavailable)
        case .broadcast:
            let taken = submit(.broadcast, pending, payloadBytes: payloadBytes, now: now, encode: encode)
            return taken ? .accepted : .refused(.unavailable)
        }
    }

    /// The client is gone: it leaves all its rooms. `encode` is called once for each.
    package mutating func clientClosed(_ client: UInt64, encode: (HubOperation) -> (frame: Frame, bytes: Int)) {
        for room in rooms.removeClient(client) {
            let pending = PendingRequest(client: client, id: nil, command: .leave(room))
            append(.leave, pending, deadline: nil, encode: encode)
        }
    }

    /// Nothing is to be changed, but while earlier operations are unconfirmed an answer has to wait for them.
    private mutating func confirm(
        _ pending: PendingRequest, now: MonotonicTime, encode: (HubOperation) -> (frame: Frame, bytes: Int)
    ) -> CommandOutcome {
        guard pending.id != nil, held.pendingBytes > 0 || link != .up else { return .done }
        return submit(.confirm, pending, payloadBytes: 0, now: now, encode: encode) ? .accepted : .refused(.unavailable)
    }

    private mutating func submit(
        _ kind: HubOperationKind, _ pending: PendingRequest, payloadBytes: Int, now: MonotonicTime,
        encode: (HubOperation) -> (frame: Frame, bytes: Int)
    ) -> Bool {
        guard held.hasRoom(for: payloadBytes) else { return false }
        append(kind, pending, deadline: now + limits.requestTimeout, encode: encode)
        return true
    }

    private mutating func append(
        _ kind: HubOperationKind, _ pending: PendingRequest, deadline: MonotonicTime?,
        encode: (HubOperation) -> (frame: Frame, bytes: Int)
    ) {
        let operation = HubOperation(
            sequence: held.upcomingSequence, kind: kind, client: pending.client,
            room: pending.command.room ?? RoomName(""))
        let (frame, bytes) = encode(operation)
        let mayExpire = kind == .publish || kind == .broadcast || kind == .confirm
        held.append(
            frame, bytes: bytes, request: deadline == nil ? nil : pending, deadline: deadline, expires: mayExpire)
    }
}

// MARK: - The hub link

extension WorkerRealtime {
    /// A link is connected. Send `hello`, the snapshot from ``forEachRoom(_:)``, `snapshotEnd` with the number
    /// returned, then what ``takeUnsent(_:)`` gives, all in this turn of the event loop.
    package mutating func beginLink() -> UInt64 {
        link = .registering
        held.linkLost()
        return held.lastSequence
    }

    /// The snapshot: each room with its members' serials.
    package func forEachRoom(_ body: (RoomName, [UInt64]) -> Void) {
        rooms.forEachRoom(body)
    }

    /// There are operations to send on the present link.
    package var hasUnsent: Bool { link != .down && held.hasUnsent }

    package mutating func takeUnsent(_ body: (Frame) -> Void) {
        guard link != .down else { return }
        held.takeUnsent(body)
    }

    /// The hub said welcome. `isLate`: it took operations before it knew this worker's members, either because only
    /// the link had broken or because this worker came long after the others. `true`: deliveries for the members may
    /// be lost, so that these have to be closed.
    package mutating func welcomed(isLate: Bool) -> Bool {
        link = .up
        defer { wasWelcome = true }
        return wasWelcome && isLate
    }

    package mutating func linkLost() {
        link = .down
        held.linkLost()
    }

    /// The hub's `ack`. Calls `answer` for each request that succeeded by it and asked for an answer.
    package mutating func acknowledge(acknowledged: UInt64, settled: UInt64, answer: (PendingRequest) -> Void) {
        for request in held.acknowledge(acknowledged: acknowledged, settled: settled) where request.id != nil {
            answer(request)
        }
    }

    /// Whether a delivery is new. When it is, `message`, `userJoined` and `userLeft` go to the members of its room,
    /// `broadcast` to every client, always except ``HubDelivery/subject`` where that is of this ``boot``.
    package mutating func admit(_ delivery: HubDelivery) -> Bool {
        filter.admit(origin: delivery.origin, sequence: delivery.sequence)
    }

    /// Ends the waiting of requests the hub has not confirmed in time. `tell` is called for each client that has to
    /// be told ``ClientErrorCode/unavailable``: as the answer to its request, or as an error event where it asked for
    /// none. A publication that was never sent is dropped. A join stays in force and reaches the hub later; asking
    /// again is harmless.
    package mutating func expire(now: MonotonicTime, tell: (PendingRequest) -> Void) {
        for (request, dropped) in held.expire(now: now) where request.id != nil || dropped || request.command.isJoin {
            tell(request)
        }
    }

    /// When ``expire(now:tell:)`` is next due.
    package var nextDeadline: MonotonicTime? { held.nextDeadline }
}

extension ClientCommand {
    fileprivate var isJoin: Bool {
        if case .join = self { true } else { false }
    }
}
