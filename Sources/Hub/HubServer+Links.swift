import Logging
import Model
import NIOCore
import Realtime
import Wire

extension HubServer {
    /// A worker has connected; `nil`: too many have.
    func connected(_ channel: any Channel) -> HubLink? {
        guard connected.count < Self.maxLinks else {
            logger.error("Too many links, one refused")
            channel.close(promise: nil)
            return nil
        }
        let link = HubLink(channel: channel, maxPayload: maxPayload, now: now)
        connected[ObjectIdentifier(link)] = link
        return link
    }

    func disconnected(_ link: HubLink) {
        guard connected.removeValue(forKey: ObjectIdentifier(link)) != nil else { return }
        end(link)
        if connected.isEmpty { whenEmpty?() }
    }

    func received(_ bytes: ByteBuffer, on link: HubLink) {
        guard link.phase != .closed, !isStopped else { return }
        bytesIn += bytes.readableBytes
        link.decoder.append(bytes)
        process(link)
    }

    /// Takes frames until none is whole or operations have to wait.
    private func process(_ link: HubLink) {
        do {
            while link.phase != .closed {
                if let index = link.index, machine.isRegistered(index), !link.hasWelcome, !admit(link, index) { return }
                guard let frame = try link.decoder.nextWorkerFrame() else { return }
                guard take(frame, link) else {
                    refuse(link, "worker sent a frame out of order")
                    return
                }
            }
        } catch {
            refuse(link, "worker sent a broken frame: \(error)")
        }
    }

    private func take(_ frame: WorkerFrame, _ link: HubLink) -> Bool {
        switch (frame, link.phase) {
        case (.hello(let version, let boot, let slot), .greeting):
            guard Int(version) == WsdVersion.link else { return false }
            greet(link, boot: boot, slot: slot)
            return true
        case (.client(let client, let registration), .open(let index)):
            return machine.registerClient(client, registration, link: index)
        case (.register(let room, let clients), .open(let index)):
            return machine.register(clients, room: room, link: index)
        case (.position(let room, let position), .open(let index)):
            return machine.registerPosition(position, room: room, link: index)
        case (.snapshotEnd(let replayThrough), .open(let index)):
            carryOutPending()
            return machine.registrationEnded(
                index, replayThrough: replayThrough, now: now, wallTime: wallClock(), output: self)
        case (.operation(let operation, let payload), .open(let index)):
            return collect(operation, payload, link, index)
        case (.hello, .open), (.client, .greeting), (.register, .greeting), (.position, .greeting),
            (.snapshotEnd, .greeting), (.operation, .greeting), (_, .closed):
            return false
        }
    }

    private func greet(_ link: HubLink, boot: BootID, slot: Int) {
        if let old = machine.link(of: boot), let former = links[old] {
            logger.warning("Worker connected again, its former link is closed", metadata: ["worker.slot": "\(slot)"])
            close(former)
        }
        let index = machine.linkOpened(boot: boot, slot: slot)
        while links.count <= index { links.append(nil) }
        links[index] = link
        link.phase = .open(index)
        link.name = "worker \(slot)"
    }

    /// Says welcome to a registered worker once operations are taken; until then it is not read. `false`: not yet.
    private func admit(_ link: HubLink, _ index: Int) -> Bool {
        guard machine.isServing(now: now) else {
            scheduleGatherCheck()
            if !waitingForServing.contains(where: { $0 === link }) { waitingForServing.append(link) }
            setReading(link)
            return false
        }
        link.hasWelcome = true
        link.output.append { HubLinkEncoder.welcome(boot: boot, isLate: machine.isLate(index), into: &$0) }
        link.owesAck = true
        mark(link)
        logger.debug("Worker registered", metadata: ["link.name": "\(link.name)"])
        if !waitingForServing.isEmpty || !waitingCalls.isEmpty { beginServing() }
        return true
    }

    func scheduleGatherCheck() {
        guard !isGatherCheckScheduled else { return }
        isGatherCheckScheduled = true
        let delay = machine.gatherDeadline - now
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(max(0, delay.nanoseconds))) { [weak self] in
            guard let self else { return }
            self.isGatherCheckScheduled = false
            guard !self.waitingForServing.isEmpty || !self.waitingCalls.isEmpty else { return }
            if self.machine.isServing(now: self.now) { self.beginServing() } else { self.scheduleGatherCheck() }
        }
    }

    private func beginServing() {
        let links = waitingForServing
        waitingForServing = []
        pending += waitingCalls
        waitingCalls = []
        scheduleTurn()
        for link in links where link.phase != .closed {
            process(link)
            setReading(link)
        }
    }

    /// A link is read unless it waits for the hub to serve or for another link to drain.
    func setReading(_ link: HubLink) {
        let waits = waitingForServing.contains { $0 === link }
        // Fails only on a closed channel, and then there is nothing to read.
        try? link.channel.syncOptions?.setOption(.autoRead, value: !waits && !link.isHeldUp)
    }

    func refuse(_ link: HubLink, _ reason: String) {
        protocolErrors += 1
        logger.error("Link closed", metadata: ["link.name": "\(link.name)", "error.message": "\(reason)"])
        close(link)
    }

    func close(_ link: HubLink) {
        end(link)
        link.channel.close(promise: nil)
    }

    /// Takes a link out of everything but `connected`; the others learn that its clients are gone.
    private func end(_ link: HubLink) {
        // What it sent before its end counts.
        carryOutPending()
        let phase = link.phase
        link.phase = .closed
        waitingForServing.removeAll { $0 === link }
        guard case .open(let index) = phase else { return }
        links[index] = nil
        machine.linkEnded(index, now: now, output: self)
        tracker.linkEnded(index)
        scheduleSettle()
        scheduleTurn()
        logger.debug("Worker link ended", metadata: ["link.name": "\(link.name)"])
    }
}
