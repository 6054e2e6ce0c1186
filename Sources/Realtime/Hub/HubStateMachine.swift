import DequeModule
package import Model

/// The hub's decisions: who is in which room, in which order things happen, and which links have to be told.
///
/// A room's order is the order in which this machine is given operations. Deliveries go to the `deliver` argument
/// together with the links they are for; the driver encodes each once and appends the same bytes to every link.
///
/// A new hub first *gathers*: it takes registrations, but no operation, until the workers are there
/// (``isServing(now:)``), because what one worker replays must find the members of all others. The driver stops
/// reading a link at its first operation meanwhile. A worker that comes later is told that it is late.
package struct HubStateMachine {
    /// A small number for a link while it lasts; used again afterwards.
    package typealias LinkIndex = Int
    package typealias Deliver = (HubDelivery, [LinkIndex]) -> Void

    /// Boots whose link ended that are remembered, in case they come back.
    package static let maxDeparted = 4096

    private struct Link {
        var boot: BootID
        var slot: Int
        var isRegistered = false
        /// Its snapshot became whole after operations had been taken.
        var isLate = false
        /// This hub has already told the others that the clients of this boot left.
        var isReturning: Bool
        var replayThrough: UInt64 = 0
        var lastSequence: UInt64
    }

    /// What ``received(_:from:deliver:)`` made of an operation.
    package enum Outcome: Hashable, Sendable {
        case done
        /// Its sequence is not above the last one: this hub carried it out before the link broke.
        case duplicate
        /// An operation before the snapshot was whole, or on a link that is not known: the link has to be ended.
        case outOfOrder
    }

    package let boot: BootID
    /// `rooms.announceMax`.
    package var announceMax: Int
    /// Workers that are to register before a new hub begins to serve; those that lived when it was started.
    private let expectedLinks: Int
    /// Until when a new hub waits for them.
    package let gatherDeadline: MonotonicTime
    private var isGathering = true
    private var links: [Link?] = []
    private var linkOfBoot: [BootID: LinkIndex] = [:]
    private var rooms = HubRooms()
    private var departed: [BootID: UInt64] = [:]
    private var departedOrder: Deque<BootID> = []
    private var ownSequence: UInt64 = 0
    /// Reused for the targets of every delivery.
    private var targets: [LinkIndex] = []

    package init(boot: BootID, announceMax: Int, expectedLinks: Int, now: MonotonicTime) {
        self.boot = boot
        self.announceMax = announceMax
        self.expectedLinks = expectedLinks
        gatherDeadline = now + HubLinkTiming.gatherMaximum
    }

    /// Links that said hello.
    package var linkCount: Int { linkOfBoot.count }

    package var roomCount: Int { rooms.count }

    /// Memberships, over all rooms and links.
    package private(set) var membershipCount = 0

    /// Whether operations are taken. Ask again when a link has registered and when ``gatherDeadline`` is reached;
    /// once it is true it stays so.
    package mutating func isServing(now: MonotonicTime) -> Bool {
        guard isGathering else { return true }
        let registered = links.count { $0?.isRegistered == true }
        isGathering = registered < expectedLinks && now < gatherDeadline
        return !isGathering
    }

    /// Each room with its number of members.
    package func forEachRoom(_ body: (RoomName, Int) -> Void) {
        rooms.forEach(body)
    }
}

// MARK: - Links

extension HubStateMachine {
    /// The link on which a boot is connected now. A second `hello` of the same boot means that the first link is
    /// dead: end that one before ``linkOpened(boot:slot:)``.
    package func link(of boot: BootID) -> LinkIndex? { linkOfBoot[boot] }

    /// A worker said hello.
    package mutating func linkOpened(boot: BootID, slot: Int) -> LinkIndex {
        let last = departed.removeValue(forKey: boot)
        if last != nil { departedOrder.removeAll { $0 == boot } }
        let link = Link(boot: boot, slot: slot, isReturning: last != nil, lastSequence: last ?? 0)
        let index = links.firstIndex { $0 == nil } ?? links.count
        if index == links.count { links.append(link) } else { links[index] = link }
        linkOfBoot[boot] = index
        return index
    }

    /// Part of a worker's snapshot. `false`: not the time for it; the link has to be ended.
    package mutating func register(_ clients: [UInt64], room: RoomName, link: LinkIndex) -> Bool {
        guard let state = state(link), !state.isRegistered else { return false }
        for client in clients where rooms.insert(client, link: link, room: room).inserted { membershipCount += 1 }
        return true
    }

    /// A worker's snapshot is whole. Members of a worker that this hub had already declared gone are announced as
    /// joining. `false`: not the time for it; the link has to be ended.
    package mutating func registrationEnded(_ link: LinkIndex, replayThrough: UInt64, deliver: Deliver) -> Bool {
        guard let state = state(link), !state.isRegistered else { return false }
        links[link]?.isRegistered = true
        links[link]?.isLate = !isGathering
        links[link]?.replayThrough = replayThrough
        guard state.isReturning else { return true }
        for (room, members) in rooms.memberships(of: link) {
            for client in members {
                ownSequence += 1
                announce(
                    .userJoined, client, link: link, room: room, origin: boot, sequence: ownSequence, deliver: deliver)
            }
        }
        return true
    }

    package func isRegistered(_ link: LinkIndex) -> Bool { state(link)?.isRegistered ?? false }

    /// Whether operations were taken before this worker's members were known: what these should have got is lost.
    package func isLate(_ link: LinkIndex) -> Bool { state(link)?.isLate ?? false }

    /// The highest sequence carried out for a link, to be acknowledged.
    package func acknowledged(_ link: LinkIndex) -> UInt64 { state(link)?.lastSequence ?? 0 }

    /// A link is gone, and with it all its clients: the other members of their rooms are told.
    package mutating func linkEnded(_ link: LinkIndex, deliver: Deliver) {
        guard let state = state(link) else { return }
        links[link] = nil
        linkOfBoot[state.boot] = nil
        remember(state)
        for (room, members, before) in rooms.removeLink(link) {
            membershipCount -= members.count
            var size = before
            for client in members {
                ownSequence += 1
                guard size <= announceMax, let index = rooms.index(of: room) else {
                    size -= 1
                    continue
                }
                size -= 1
                targets.removeAll(keepingCapacity: true)
                rooms.targets(of: index, except: nil, into: &targets)
                let subject = ClientID(boot: state.boot, serial: client)
                deliver(
                    HubDelivery(origin: boot, sequence: ownSequence, kind: .userLeft, subject: subject, room: room),
                    targets)
            }
        }
    }

    private mutating func remember(_ link: Link) {
        if departed.updateValue(link.lastSequence, forKey: link.boot) == nil { departedOrder.append(link.boot) }
        if departedOrder.count > Self.maxDeparted, let oldest = departedOrder.popFirst() { departed[oldest] = nil }
    }

    private func state(_ link: LinkIndex) -> Link? {
        links.indices.contains(link) ? links[link] : nil
    }
}

// MARK: - Operations

extension HubStateMachine {
    /// Carries out one operation of a worker.
    package mutating func received(_ operation: HubOperation, from link: LinkIndex, deliver: Deliver) -> Outcome {
        guard let state = state(link), state.isRegistered, !isGathering else { return .outOfOrder }
        guard operation.sequence > state.lastSequence else { return .duplicate }
        links[link]?.lastSequence = operation.sequence
        let isReplay = operation.sequence <= state.replayThrough
        switch operation.kind {
        case .join:
            joined(operation, link, state, isReplay: isReplay, deliver)
        case .leave:
            left(operation, link, state, isReplay: isReplay, deliver)
        case .publish:
            guard let room = rooms.index(of: operation.room) else { return .done }
            targets.removeAll(keepingCapacity: true)
            rooms.targets(of: room, except: (link, operation.client), into: &targets)
            send(.message, operation, state.boot, deliver)
        case .broadcast:
            targets.removeAll(keepingCapacity: true)
            for index in links.indices where links[index]?.isRegistered == true { targets.append(index) }
            send(.broadcast, operation, state.boot, deliver)
        case .confirm:
            break
        }
        return .done
    }

    /// An operator publishes to all members of a room.
    package mutating func publishedByOperator(room: RoomName, deliver: Deliver) {
        ownSequence += 1
        guard let index = rooms.index(of: room) else { return }
        targets.removeAll(keepingCapacity: true)
        rooms.targets(of: index, except: nil, into: &targets)
        let nobody = ClientID(boot: boot, serial: 0)
        deliver(HubDelivery(origin: boot, sequence: ownSequence, kind: .message, subject: nobody, room: room), targets)
    }

    /// How many members a room has.
    package func memberCount(of room: RoomName) -> Int {
        rooms.index(of: room).map { rooms.rooms[$0].memberCount } ?? 0
    }

    private mutating func joined(
        _ operation: HubOperation, _ link: LinkIndex, _ state: Link, isReplay: Bool, _ deliver: Deliver
    ) {
        if isReplay {
            // The snapshot has the membership. Nobody may have heard of it yet, unless its return was announced.
            guard !state.isReturning, let room = rooms.index(of: operation.room) else { return }
            announce(
                .userJoined, operation.client, link: link, room: room, origin: state.boot,
                sequence: operation.sequence, deliver: deliver)
            return
        }
        let (room, inserted) = rooms.insert(operation.client, link: link, room: operation.room)
        guard inserted else { return }
        membershipCount += 1
        announce(
            .userJoined, operation.client, link: link, room: room, origin: state.boot, sequence: operation.sequence,
            deliver: deliver)
    }

    private mutating func left(
        _ operation: HubOperation, _ link: LinkIndex, _ state: Link, isReplay: Bool, _ deliver: Deliver
    ) {
        guard let room = rooms.index(of: operation.room) else { return }
        if isReplay {
            guard !state.isReturning else { return }
        } else {
            guard rooms.remove(operation.client, link: link, room: room) else { return }
            membershipCount -= 1
            guard rooms.index(of: operation.room) != nil else { return }
        }
        announce(
            .userLeft, operation.client, link: link, room: room, origin: state.boot, sequence: operation.sequence,
            deliver: deliver)
    }

    private mutating func announce(
        _ kind: HubDeliveryKind, _ client: UInt64, link: LinkIndex, room: Int, origin: BootID, sequence: UInt64,
        deliver: Deliver
    ) {
        let after = rooms.rooms[room].memberCount
        guard (kind == .userLeft ? after + 1 : after) <= announceMax else { return }
        targets.removeAll(keepingCapacity: true)
        rooms.targets(of: room, except: (link, client), into: &targets)
        guard !targets.isEmpty, let subject = state(link).map({ ClientID(boot: $0.boot, serial: client) }) else {
            return
        }
        deliver(
            HubDelivery(origin: origin, sequence: sequence, kind: kind, subject: subject, room: rooms.rooms[room].name),
            targets)
    }

    private func send(_ kind: HubDeliveryKind, _ operation: HubOperation, _ origin: BootID, _ deliver: Deliver) {
        guard !targets.isEmpty else { return }
        let subject = ClientID(boot: origin, serial: operation.client)
        deliver(
            HubDelivery(
                origin: origin, sequence: operation.sequence, kind: kind, subject: subject, room: operation.room),
            targets)
    }
}
