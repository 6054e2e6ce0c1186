import Model
import NIOCore
import Realtime
import Wire

extension HubServer {
    func carryOut(_ frame: HubOperationFrame, _ link: HubLink, _ index: Int) -> Bool {
        let operation = HubOperation(sequence: frame.sequence, kind: frame.kind, client: frame.client, room: frame.room)
        targets.removeAll(keepingCapacity: true)
        let outcome = machine.received(operation, from: index) { delivery, links in
            targets.append(contentsOf: links)
            queue(delivery, for: links, payload: frame.payload)
        }
        switch outcome {
        case .done:
            if frame.kind == .publish || frame.kind == .broadcast { publications += 1 }
            tracker.processed(frame.sequence, from: index, targets: targets)
        case .duplicate:
            break
        case .outOfOrder:
            return false
        }
        link.owesAck = true
        mark(link)
        return true
    }

    /// Publishes for an operator; the number of members addressed, or a sentence that says why not.
    func publish(room: String, data: String) -> Result<Int, PublishRefusal> {
        guard (1...Int(UInt16.max)).contains(room.utf8.count) else {
            return .failure(PublishRefusal(reason: "The room's name has to have 1 to 65535 bytes."))
        }
        guard data.utf8.count <= maxPayload else {
            return .failure(
                PublishRefusal(reason: "The data is longer than websocket.maxMessageSize (\(maxPayload) bytes)."))
        }
        let payload = ByteBuffer(string: data)
        do {
            _ = try payload.withUnsafeReadableBytes { bytes throws(JSONError) in try JSONScanner.scanValue(bytes) }
        } catch {
            return .failure(PublishRefusal(reason: "The data is not JSON: \(error.sentence)."))
        }
        let name = RoomName(room)
        machine.publishedByOperator(room: name) { queue($0, for: $1, payload: payload) }
        publications += 1
        return .success(machine.memberCount(of: name))
    }

    func queue(_ delivery: HubDelivery, for targets: [Int], payload: ByteBuffer?) {
        encoded.clear()
        HubLinkEncoder.delivery(delivery, payload: (payload ?? ByteBuffer()).readableBytesView, into: &encoded)
        for target in targets {
            guard let link = links[target] else { continue }
            if link.output.waiting == 0 { link.lastProgress = now }
            link.output.append { $0.writeImmutableBuffer(encoded) }
            deliveries += 1
            if link.output.waiting > linkQueue, overfull.last !== link { overfull.append(link) }
            mark(link)
        }
    }

    func mark(_ link: HubLink) {
        if !link.isDirty {
            link.isDirty = true
            dirty.append(link)
        }
        guard !isTurnScheduled else { return }
        isTurnScheduled = true
        loop.assumeIsolated().execute { self.endTurn() }
    }
}

/// Why an operator's publication was not taken, as a sentence.
struct PublishRefusal: Error, Equatable {
    var reason: String
}

extension JSONError {
    /// For a person, without the full stop.
    var sentence: String {
        switch self {
        case .invalid(let offset): "unexpected character or end at byte \(offset)"
        case .tooDeep(let offset): "nested deeper than \(JSONScanner.maxDepth) at byte \(offset)"
        case .notAnObject: "not an object"
        }
    }
}
