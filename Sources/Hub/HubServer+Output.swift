import Logging
import Model
import NIOCore
import Realtime
import Wire

/// What the machine decides, encoded and queued. None of it calls the machine.
extension HubServer: HubOutput {
    func deliver(_ delivery: HubDelivery, payload: HubPayload, to links: [Int]) {
        targets.append(contentsOf: links)
        encoded.clear()
        switch payload {
        case .none: HubLinkEncoder.delivery(delivery, payload: ByteBuffer().readableBytesView, into: &encoded)
        case .ofOperation: HubLinkEncoder.delivery(delivery, payload: self.payload.readableBytesView, into: &encoded)
        case .bytes(let bytes):
            HubLinkEncoder.delivery(delivery, payload: ByteBuffer(bytes: bytes).readableBytesView, into: &encoded)
        }
        deliveries += links.count
        for link in links { queueEncoded(for: link) }
    }

    func reply(_ reply: HubReply, sequence: UInt64, to link: Int) {
        encoded.clear()
        HubLinkEncoder.reply(sequence: sequence, reply, into: &encoded)
        if encoded.readableBytes > maxPayload + HubLinkDecoder.slack {
            // The worker's decoder would take it for a broken link.
            encoded.clear()
            let tooLong = ClientRefusal(.unavailable, message: "The answer is too long: ask for less at once")
            HubLinkEncoder.reply(sequence: sequence, .refused(tooLong), into: &encoded)
        }
        queueEncoded(for: link)
    }

    func command(_ command: HubCommand, to link: Int) {
        targets.append(link)
        encoded.clear()
        HubLinkEncoder.command(command, into: &encoded)
        queueEncoded(for: link)
    }

    private func queueEncoded(for index: Int) {
        guard links.indices.contains(index), let link = links[index] else { return }
        if link.output.waiting == 0 { link.lastProgress = now }
        link.output.append { $0.writeImmutableBuffer(encoded) }
        if link.output.waiting > linkQueue, overfull.last !== link { overfull.append(link) }
        mark(link)
    }

    func mark(_ link: HubLink) {
        if !link.isDirty {
            link.isDirty = true
            dirty.append(link)
        }
        scheduleTurn()
    }

    func scheduleTurn() {
        guard !isTurnScheduled else { return }
        isTurnScheduled = true
        loop.assumeIsolated().execute { self.endTurn() }
    }
}
