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
    private var tracker = SettlementTracker()
    private(set) var links: [Link] = []
    private var byIndex: [Int: Link] = [:]
    /// Data of each room's publications in the order in which they were carried out.
    private(set) var order: [RoomName: [String]] = [:]
    private(set) var faults: [String] = []

    init(boot: BootID, expectedLinks: Int, now: MonotonicTime) {
        self.boot = boot
        machine = HubStateMachine(boot: boot, announceMax: 1000, expectedLinks: expectedLinks, now: now)
    }

    func accept(_ link: SimulatedLink) {
        links.append(Link(link))
    }

    /// Reads up to `limit` bytes of a link and carries out what is whole.
    func read(_ link: Link, limit: Int, now: MonotonicTime) {
        if isWaiting(link, now: now) { return }
        process(link, now: now)
        if isWaiting(link, now: now) { return }
        guard let bytes = link.link.read(at: .hub, limit: limit) else { return end(link) }
        link.decoder.append(bytes)
        process(link, now: now)
    }

    private func isWaiting(_ link: Link, now: MonotonicTime) -> Bool {
        guard let index = link.index, machine.isRegistered(index), !link.hasWelcome else { return false }
        guard machine.isServing(now: now) else { return true }
        link.hasWelcome = true
        append(link) { HubLinkEncoder.welcome(boot: boot, isLate: machine.isLate(index), into: &$0) }
        link.owesAck = true
        return false
    }

    private func process(_ link: Link, now: MonotonicTime) {
        do {
            while !isWaiting(link, now: now), let frame = try link.decoder.nextWorkerFrame() {
                if !take(frame, link) { faults.append("frame out of order: \(frame)") }
            }
        } catch {
            faults.append("\(error)")
        }
    }

    private func take(_ frame: WorkerFrame, _ link: Link) -> Bool {
        switch frame {
        case .hello(_, let boot, let slot):
            if let old = machine.link(of: boot).flatMap({ byIndex[$0] }) { end(old) }
            let index = machine.linkOpened(boot: boot, slot: slot)
            link.index = index
            byIndex[index] = link
            return true
        case .register(let room, let clients):
            return machine.register(clients, room: room, link: link.index ?? -1)
        case .snapshotEnd(let replayThrough):
            return machine.registrationEnded(link.index ?? -1, replayThrough: replayThrough) {
                queue($0, $1, ByteBuffer())
            }
        case .operation(let frame):
            var targets: [Int] = []
            let index = link.index ?? -1
            let operation = HubOperation(
                sequence: frame.sequence, kind: frame.kind, client: frame.client, room: frame.room)
            let outcome = machine.received(operation, from: index) {
                targets = $1
                queue($0, $1, frame.payload)
            }
            link.owesAck = true
            guard outcome == .done else { return outcome == .duplicate }
            if frame.kind == .publish { order[frame.room, default: []].append(String(buffer: frame.payload)) }
            tracker.processed(frame.sequence, from: index, targets: targets)
            return true
        }
    }

    func endTurn() {
        for link in links where link.owesAck && link.hasWelcome { acknowledge(link) }
        tracker.endTurn { byIndex[$0]?.enqueued ?? 0 }
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
        link.link.close(.hub)
        links.removeAll { $0 === link }
        guard let index = link.index else { return }
        byIndex[index] = nil
        link.index = nil
        machine.linkEnded(index) { queue($0, $1, ByteBuffer()) }
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

    private func queue(_ delivery: HubDelivery, _ targets: [Int], _ payload: ByteBuffer) {
        for target in targets {
            guard let link = byIndex[target] else {
                faults.append("delivery to a link that is gone")
                continue
            }
            append(link) { HubLinkEncoder.delivery(delivery, payload: payload.readableBytesView, into: &$0) }
        }
    }

    private func append(_ link: Link, _ write: (inout ByteBuffer) -> Void) {
        let before = link.output.readableBytes
        write(&link.output)
        link.enqueued += UInt64(link.output.readableBytes - before)
    }
}
