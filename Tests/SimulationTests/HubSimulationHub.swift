import Model
import NIOCore
import Realtime
import Wire

/// The hub's machines driven over simulated links, with every buffer in plain sight.
final class SimulatedHub {
    final class Link {
        let link: SimulatedLink
        var decoder = HubLinkDecoder(maxPayload: 1024)
        var output = ByteBuffer()
        var enqueued: UInt64 = 0
        var flushed: UInt64 = 0
        var index: Int?
        var hasWelcome = false
        var owesAck = false

        init(_ link: SimulatedLink) { self.link = link }
    }

    let boot: BootID
    private(set) var machine: HubStateMachine
    private let storage: SimulatedStorage
    private var tracker = SettlementTracker()
    private(set) var links: [Link] = []
    private var byIndex: [Int: Link] = [:]
    /// Operations that are to be carried out in this turn.
    private var collected: [(operation: HubOperation, payload: ByteBuffer, link: Int)] = []
    /// Data of each room's publications in the order in which they were carried out.
    private(set) var order: [RoomName: [String]] = [:]
    private(set) var faults: [String] = []
    private var now: MonotonicTime

    init(
        boot: BootID, configuration: WsdConfiguration, expectedLinks: Int, storage: SimulatedStorage, seed: UInt64,
        now: MonotonicTime
    ) {
        self.boot = boot
        self.storage = storage
        self.now = now
        machine = HubStateMachine(
            boot: boot, configuration: configuration, expectedLinks: expectedLinks, storage: storage, seed: seed,
            now: now)
    }

    func accept(_ link: SimulatedLink) {
        links.append(Link(link))
    }

    private var wallTime: Int64 { 1_000_000_000 + (now - .zero).milliseconds }

    /// Reads up to `limit` bytes of a link and collects what is whole.
    func read(_ link: Link, limit: Int, now: MonotonicTime) {
        self.now = now
        if isWaiting(link) { return }
        process(link)
        if isWaiting(link) { return }
        guard let bytes = link.link.read(at: .hub, limit: limit) else { return end(link) }
        link.decoder.append(bytes)
        process(link)
    }

    private func isWaiting(_ link: Link) -> Bool {
        guard let index = link.index, machine.isRegistered(index), !link.hasWelcome else { return false }
        guard machine.isServing(now: now) else { return true }
        link.hasWelcome = true
        append(link) { HubLinkEncoder.welcome(boot: boot, isLate: machine.isLate(index), into: &$0) }
        link.owesAck = true
        return false
    }

    private func process(_ link: Link) {
        do {
            while !isWaiting(link), let frame = try link.decoder.nextWorkerFrame() {
                if !take(frame, link) { faults.append("frame out of order: \(frame)") }
            }
        } catch {
            faults.append("\(error)")
        }
    }

    private func take(_ frame: WorkerFrame, _ link: Link) -> Bool {
        let index = link.index ?? -1
        switch frame {
        case .hello(_, let boot, let slot):
            if let old = machine.link(of: boot).flatMap({ byIndex[$0] }) { end(old) }
            let index = machine.linkOpened(boot: boot, slot: slot)
            link.index = index
            byIndex[index] = link
            return true
        case .client(let client, let registration):
            return machine.registerClient(client, registration, link: index)
        case .register(let room, let clients):
            return machine.register(clients, room: room, link: index)
        case .position(let room, let position):
            return machine.registerPosition(position, room: room, link: index)
        case .snapshotEnd(let replayThrough):
            carryOut()
            let output = TurnOutput(self)
            return machine.registrationEnded(
                index, replayThrough: replayThrough, now: now, wallTime: wallTime, output: output)
        case .operation(let operation, let payload):
            collected.append((operation, payload, index))
            return true
        }
    }

    /// `false`: it is killed between the commit and what follows from it.
    @discardableResult
    private func carryOut(diesAfterCommit: Bool = false) -> Bool {
        let operations = collected
        collected = []
        for (operation, payload, link) in operations where machine.needsStaging(operation.request) {
            machine.stage(
                operation, payload: Array(payload.readableBytesView), from: link, now: now, wallTime: wallTime)
        }
        let hasStaged = !machine.stagedWrites.isEmpty
        commit()
        if diesAfterCommit, hasStaged { return false }
        for (operation, payload, link) in operations { carryOut(operation, payload, link) }
        return true
    }

    private func commit() {
        guard !machine.stagedWrites.isEmpty else { return machine.stagingCommitted() }
        do {
            try storage.commit(machine.stagedWrites)
            machine.stagingCommitted()
        } catch {
            machine.stagingFailed()
        }
    }

    private func carryOut(_ operation: HubOperation, _ payload: ByteBuffer, _ index: Int) {
        guard let link = byIndex[index] else { return faults.append("operation of a link that is gone") }
        let output = TurnOutput(self)
        output.payload = payload
        let outcome = machine.received(operation, from: index, now: now, wallTime: wallTime, output: output)
        link.owesAck = true
        switch outcome {
        case .done:
            let isRefused = output.replies.contains { if case .refused = $0 { true } else { false } }
            if case .publish(let room, _, _) = operation.request, !isRefused {
                order[room, default: []].append(String(buffer: payload))
            }
            tracker.processed(operation.sequence, from: index, targets: output.targets)
        case .duplicate:
            // What it led to may still wait in any link.
            tracker.processed(operation.sequence, from: index, targets: Array(byIndex.keys))
        case .outOfOrder:
            faults.append("operation out of order: \(operation)")
        }
    }

    /// `false`: it has died.
    func endTurn(now: MonotonicTime, diesAfterCommit: Bool = false) -> Bool {
        self.now = now
        guard carryOut(diesAfterCommit: diesAfterCommit) else { return false }
        if machine.nextDeadline <= now {
            machine.timeElapsed(now: now, wallTime: wallTime, output: TurnOutput(self))
            commit()
        }
        for link in links where link.owesAck && link.hasWelcome { acknowledge(link) }
        tracker.endTurn { byIndex[$0]?.enqueued ?? 0 }
        return true
    }

    /// Hands up to `limit` bytes of a link's queue to the kernel.
    func flush(_ link: Link, limit: Int) {
        link.flushed += UInt64(link.link.write(from: .hub, &link.output, limit: limit))
        if let index = link.index { tracker.flushed(index, upTo: link.flushed) }
        for origin in tracker.takeChanged() { byIndex[origin]?.owesAck = true }
    }

    /// Cuts a link, as the driver does with one that is not read.
    func cut(_ link: Link) {
        end(link)
    }

    func crash() {
        for link in links { link.link.close(.hub) }
        links = []
    }

    private func end(_ link: Link) {
        carryOut()
        link.link.close(.hub)
        links.removeAll { $0 === link }
        guard let index = link.index else { return }
        byIndex[index] = nil
        link.index = nil
        machine.linkEnded(index, now: now, output: TurnOutput(self))
        tracker.linkEnded(index)
        for origin in tracker.takeChanged() { byIndex[origin]?.owesAck = true }
    }

    private func acknowledge(_ link: Link) {
        guard let index = link.index else { return }
        link.owesAck = false
        let acknowledged = machine.acknowledged(index)
        append(link) {
            HubLinkEncoder.ack(
                acknowledged: acknowledged, settled: min(acknowledged, tracker.settled(index)), into: &$0)
        }
    }

    private func append(_ link: Link, _ write: (inout ByteBuffer) -> Void) {
        let before = link.output.readableBytes
        write(&link.output)
        link.enqueued += UInt64(link.output.readableBytes - before)
    }

    /// Writes what the machine decides into the links' queues.
    private final class TurnOutput: HubOutput {
        private unowned let hub: SimulatedHub
        var payload = ByteBuffer()
        private(set) var targets: [Int] = []
        private(set) var replies: [HubReply] = []

        init(_ hub: SimulatedHub) { self.hub = hub }

        func deliver(_ delivery: HubDelivery, payload kind: HubPayload, to links: [Int]) {
            let bytes =
                switch kind {
                case .none: ByteBuffer()
                case .ofOperation: payload
                case .bytes(let bytes): ByteBuffer(bytes: bytes)
                }
            for target in links {
                write(target) { HubLinkEncoder.delivery(delivery, payload: bytes.readableBytesView, into: &$0) }
            }
        }

        func reply(_ reply: HubReply, sequence: UInt64, to link: Int) {
            replies.append(reply)
            write(link) { HubLinkEncoder.reply(sequence: sequence, reply, into: &$0) }
        }

        func command(_ command: HubCommand, to link: Int) {
            write(link) { HubLinkEncoder.command(command, into: &$0) }
        }

        private func write(_ target: Int, _ body: (inout ByteBuffer) -> Void) {
            guard let link = hub.byIndex[target] else { return hub.faults.append("something for a link that is gone") }
            targets.append(target)
            hub.append(link, body)
        }
    }
}
