package import Model

/// A worker's half of the realtime service: its clients and their rooms, the operations it holds for the hub, and what
/// it takes from the hub. Decides everything, does no I/O.
///
/// `Member` is the driver's handle of a connection, `Frame` an encoded operation. The order of calls for a link:
/// ``beginLink()``, the snapshot (``forEachClient(_:)``, ``forEachRoom(_:)``, ``forEachPosition(_:)``), then
/// ``takeUnsent(_:)`` at the end of every turn of the event loop with ``hasUnsent``; ``linkLost()`` when it ends.
///
/// Membership. A *plain* join is in force here at once, the hub's view follows, so nothing that the hub orders after it
/// can miss the new member. Any other join is *pending* until the hub's reply: the client counts as a member (for the
/// number of its rooms, for what members may do), but gets nothing of the room. With the reply it becomes *live*:
/// deliveries behind the reply on the link are exactly those above the reply's position. Only live members stand in the
/// snapshot; a pending join is replayed with the other operations. Joining again:
///
/// - with `since`: the client is pending again and gets all after `since`, also what it had; the latest join counts;
/// - without: nothing changes, the reply is information.
///
/// A pending join that the hub did not answer in time is over: the client is told ``ClientErrorCode/unavailable`` and a
/// leave follows the join on its way to the hub.
///
/// The closures it takes are called before the method returns and must not call back into it: collect, then act.
/// `encode` turns an operation (with the data of a publication, where it has one) into its frame and the frame's size
/// in bytes.
package struct WorkerRealtime<Member, Frame> {
    package typealias Encode = (HubOperation) -> (frame: Frame, bytes: Int)

    /// Bounds; all from the configuration.
    package struct Limits: Sendable {
        /// `rooms.maxPerClient`.
        package var roomsPerClient: Int
        /// `hub.heldBytes`.
        package var heldBytes: Int
        /// `hub.requestTimeout`.
        package var requestTimeout: Duration
        /// The hub may refuse a publication for `limits.userRate` or `limits.addressRate`.
        package var hubLimitsRates: Bool

        package init(roomsPerClient: Int, heldBytes: Int, requestTimeout: Duration, hubLimitsRates: Bool = false) {
            self.roomsPerClient = roomsPerClient
            self.heldBytes = heldBytes
            self.requestTimeout = requestTimeout
            self.hubLimitsRates = hubLimitsRates
        }

        package init(_ configuration: WsdConfiguration) {
            self.init(
                roomsPerClient: configuration.rooms.maxPerClient, heldBytes: configuration.hub.heldBytes,
                requestTimeout: configuration.hub.requestTimeout,
                hubLimitsRates: configuration.limits.userRate != nil || configuration.limits.addressRate != nil)
        }
    }

    package let boot: BootID
    package internal(set) var rooms: LocalRooms<Member>
    package internal(set) var clients = LocalClients<Member>()
    var limits: Limits
    var held: HeldOperations<Frame, PendingRequest>
    var filter = DeliveryFilter()
    var reads = AutoReadCollector()
    var link = Link.down
    /// A hub has said welcome at some time.
    var wasWelcome = false
    /// A publication's acknowledgement does not say enough.
    var publishWantsReply: Bool

    enum Link {
        case down
        /// Connected: snapshot and operations are sent, the hub has not answered.
        case registering
        case up
    }

    package init(boot: BootID, limits: Limits, rules: RoomRules = RoomRules(WsdConfiguration())) {
        self.boot = boot
        self.limits = limits
        rooms = LocalRooms(rules: rules)
        held = HeldOperations(capacity: limits.heldBytes)
        publishWantsReply = limits.hubLimitsRates || rules.anyKeepsHistory
    }

    /// After a reload of the configuration.
    package mutating func configure(limits: Limits, rules: RoomRules) {
        self.limits = limits
        held.capacity = limits.heldBytes
        rooms.setRules(rules)
        publishWantsReply = limits.hubLimitsRates || rules.anyKeepsHistory
    }

    /// The hub has said welcome on the present link.
    package var isUp: Bool { link == .up }

    /// Half of what may wait for the hub does: clients' next commands had better wait where they are. Not while it is
    /// away: what then is accepted waits for the next one.
    package var isHubBehind: Bool { link == .up && held.pendingBytes > held.capacity / 2 }

    /// It is behind no more, by far.
    package var hasHubCaughtUp: Bool { link != .up || held.pendingBytes <= held.capacity / 4 }

    /// Operations held for the hub.
    package var heldCount: Int { held.count }

    /// Bytes held for the hub, acknowledged ones included.
    package var heldBytes: Int { held.pendingBytes + held.unsettledBytes }

    /// Acknowledged operations forgotten before they were settled (``HeldOperations``).
    package var forgottenCount: Int { held.forgotten }

    /// Whether a client is a member of a room, also a pending one.
    package func isMember(_ client: UInt64, of room: RoomName) -> Bool { rooms.isKnown(client, in: room) }
}

// MARK: - Operations

extension WorkerRealtime {
    /// Holds an operation unless the bound is reached; its sequence.
    mutating func submit(
        _ request: HubRequest, _ pending: PendingRequest, payloadBytes: Int = 0, expires: Bool = true,
        now: MonotonicTime, encode: Encode
    ) -> UInt64? {
        guard held.hasRoom(for: payloadBytes) else { return nil }
        return append(
            request, pending, deadline: now + limits.requestTimeout, expires: expires, now: now, encode: encode)
    }

    /// Holds an operation, whatever the bound says; its sequence. `wantsReply`: ask for a reply although the
    /// acknowledgement suffices.
    @discardableResult
    mutating func append(
        _ request: HubRequest, _ pending: PendingRequest, isWaiting: Bool = true, deadline: MonotonicTime?,
        expires: Bool, wantsReply: Bool = false, now: MonotonicTime, encode: Encode
    ) -> UInt64 {
        var operation = HubOperation(sequence: held.upcomingSequence, client: pending.client, request: request)
        operation.wantsReply = wantsReply || pending.wantsReply
        operation.publishedAt = now
        let (frame, bytes) = encode(operation)
        held.append(frame, bytes: bytes, request: isWaiting ? pending : nil, deadline: deadline, expires: expires)
        return operation.sequence
    }

    mutating func appendLeave(_ client: UInt64, _ room: RoomName, now: MonotonicTime, encode: Encode) {
        append(
            .leave(room), PendingRequest(client: client, id: nil, purpose: .command(.leave(room))), isWaiting: false,
            deadline: nil, expires: false, now: now, encode: encode)
    }
}
