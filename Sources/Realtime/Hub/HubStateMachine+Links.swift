internal import DequeModule
package import Model

extension HubStateMachine {
    /// The link on which a boot is connected now. A second `hello` of the same boot means that the first link is
    /// dead: end that one before ``linkOpened(boot:slot:)``.
    package func link(of boot: BootID) -> LinkIndex? { linkOfBoot[boot] }

    /// A worker said hello.
    package mutating func linkOpened(boot: BootID, slot: Int) -> LinkIndex {
        let last = departedBoots.removeValue(forKey: boot)
        if last != nil { departedOrder.removeAll { $0 == boot } }
        var link = Link(boot: boot, slot: slot, isReturning: last != nil, lastSequence: last?.lastSequence ?? 0)
        if let last { link.refusals = last.refusals }
        let index = links.firstIndex { !$0.isOpen } ?? links.count
        if index == links.count { links.append(link) } else { links[index] = link }
        linkOfBoot[boot] = index
        return index
    }

    func isOpen(_ link: LinkIndex) -> Bool { links.indices.contains(link) && links[link].isOpen }

    private func isRegistering(_ link: LinkIndex) -> Bool { isOpen(link) && !links[link].isRegistered }

    /// Part of a worker's snapshot: a connection, whatever the limits are. `false` (here and below): not the time for it;
    /// the link has to be ended.
    package mutating func registerClient(
        _ client: UInt64, _ registration: ClientRegistration, link: LinkIndex
    ) -> Bool {
        guard isRegistering(link) else { return false }
        registry.insert(client, link: link, registration)
        return true
    }

    /// Part of a worker's snapshot: members of a room.
    package mutating func register(_ clients: [UInt64], room: RoomName, link: LinkIndex) -> Bool {
        guard isRegistering(link) else { return false }
        guard !clients.isEmpty else { return true }
        let index = self.index(of: room)
        for client in clients { _ = rooms.insert(client, link: link, room: index) }
        return true
    }

    /// Part of a worker's snapshot: how far its members have been delivered a room with history.
    package mutating func registerPosition(_ position: RoomPosition, room: RoomName, link: LinkIndex) -> Bool {
        guard isRegistering(link) else { return false }
        links[link].positions.append((room, position))
        return true
    }

    /// A worker's snapshot is whole. It gets what its members missed; those of a worker that this hub had already
    /// declared gone are announced as joining, unless their leave was held back.
    package mutating func registrationEnded(
        _ link: LinkIndex, replayThrough: UInt64, now: MonotonicTime, wallTime: Int64, output: any HubOutput
    ) -> Bool {
        guard isRegistering(link) else { return false }
        links[link].isRegistered = true
        links[link].isLate = !isGathering
        links[link].replayThrough = replayThrough
        let context = Context(now: now, wallTime: wallTime, output: output)
        catchUp(link, context)
        guard links[link].isReturning else { return true }
        for (room, members) in rooms.memberships(of: link) {
            for client in members {
                let session = registry.client(client, link: link)?.registration.session
                if let session, resumes(session, client, link: link, room: room) { continue }
                announce(.userJoined, client, link: link, room: room, origin: nextOwnOrigin(), context)
            }
        }
        return true
    }

    package func isRegistered(_ link: LinkIndex) -> Bool { isOpen(link) && links[link].isRegistered }

    /// Whether operations were taken before this worker's members were known: what these should have got is lost, except
    /// in rooms with history.
    package func isLate(_ link: LinkIndex) -> Bool { isOpen(link) && links[link].isLate }

    /// The highest sequence to be acknowledged. What an earlier link of the boot carried out counts only when it has come
    /// again, because its reply may be missing.
    package func acknowledged(_ link: LinkIndex) -> UInt64 { isOpen(link) ? links[link].receivedSequence : 0 }

    /// A link is gone, and with it all its clients: the other members of their rooms are told, at once or, of those that
    /// may return, after the grace time.
    package mutating func linkEnded(_ link: LinkIndex, now: MonotonicTime, output: any HubOutput) {
        guard isOpen(link) else { return }
        let context = Context(now: now, wallTime: 0, output: output)
        let boot = links[link].boot
        links[link].isOpen = false
        linkOfBoot[boot] = nil
        remember(links[link])
        staging.forget(link)
        for (room, members) in rooms.memberships(of: link) {
            var size = rooms.list[room].memberCount
            for client in members { _ = rooms.remove(client, link: link, room: room) }
            for client in members {
                departed(client, link: link, boot: boot, room: room, size: size, mayReturn: nil, context)
                size -= 1
            }
            emptied(room, context)
        }
        registry.removeLink(link)
    }

    private mutating func remember(_ link: Link) {
        if departedBoots.updateValue((link.lastSequence, link.refusals), forKey: link.boot) == nil {
            departedOrder.append(link.boot)
        }
        if departedOrder.count > HubLimits.departedBoots, let oldest = departedOrder.popFirst() {
            departedBoots[oldest] = nil
        }
    }

    /// For something that this hub does itself.
    mutating func nextOwnOrigin() -> OperationOrigin {
        OperationOrigin(boot: boot, sequence: nextOwnSequence())
    }

    /// For something that this hub does itself, or for the control socket's ``BackendCall``s.
    package mutating func nextOwnSequence() -> UInt64 {
        ownSequence += 1
        return ownSequence
    }

    /// The room's number; it is made where it is not there yet.
    mutating func index(of room: RoomName) -> Int {
        rooms.index(of: room) ?? rooms.make(room, rule: settings.rules.rule(for: room))
    }
}
