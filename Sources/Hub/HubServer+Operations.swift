import Logging
import Model
import NIOCore
import Realtime
import Wire

extension HubServer {
    /// Keeps an operation for the end of the turn. `false`: it is not the time for operations.
    func collect(_ operation: HubOperation, _ payload: ByteBuffer, _ link: HubLink, _ index: Int) -> Bool {
        guard link.hasWelcome else { return false }
        let plan = operation.request == .backend ? BackendPlan(payload, maxData: maxData) : nil
        pending.append(
            PendingOperation(source: .worker(link, index), operation: operation, payload: payload, backend: plan))
        pendingBytes += payload.readableBytes
        mark(link)
        if pending.count >= Self.maxTurnOperations || pendingBytes >= Self.maxTurnBytes { carryOutPending() }
        return true
    }

    /// Carries out calls of the control socket in their place among the workers' operations.
    func submit(_ calls: [BackendCall], completion: @escaping ([BackendResult]) -> Void) {
        guard !isStopped, waitingCalls.count < Self.maxWaitingCalls else {
            return completion(calls.map { _ in .refused(ClientRefusal(.unavailable)) })
        }
        let operation = HubOperation(sequence: machine.nextOwnSequence(), client: 0, request: .backend)
        let call = PendingOperation(
            source: .control(completion), operation: operation, payload: ByteBuffer(),
            backend: BackendPlan(calls))
        guard machine.isServing(now: now) else {
            waitingCalls.append(call)
            return scheduleGatherCheck()
        }
        pending.append(call)
        scheduleTurn()
    }

    /// The turn's work: records what has to be, all or nothing, then carries everything out in order.
    func carryOutPending() {
        guard !pending.isEmpty, !isCarryingOut else { return }
        isCarryingOut = true
        var operations: [PendingOperation] = []
        swap(&operations, &pending)
        pendingBytes = 0
        let now = now
        let wallTime = wallClock()
        stage(operations, now, wallTime)
        var misplaced: [HubLink] = []
        for operation in operations where !carryOut(operation, now, wallTime) {
            if case .worker(let link, _) = operation.source { misplaced.append(link) }
        }
        payload = ByteBuffer()
        operations.removeAll(keepingCapacity: true)
        swap(&operations, &pending)
        isCarryingOut = false
        for link in misplaced where link.phase != .closed { refuse(link, "worker sent a frame out of order") }
    }

    private func stage(_ operations: [PendingOperation], _ now: MonotonicTime, _ wallTime: Int64) {
        var isStaged = false
        for pending in operations {
            let index: Int? = if case .worker(_, let index) = pending.source { index } else { nil }
            if let backend = pending.backend {
                machine.stage(
                    backend.calls, sequence: pending.operation.sequence, from: index, now: now, wallTime: wallTime)
            } else if let index, machine.needsStaging(pending.operation.request) {
                machine.stage(
                    pending.operation, payload: Array(pending.payload.readableBytesView), from: index, now: now,
                    wallTime: wallTime)
            } else {
                continue
            }
            isStaged = true
        }
        if isStaged { commitStaged() }
    }

    /// Records what the machine has staged.
    func commitStaged() {
        let writes = machine.stagedWrites
        guard let storage, !writes.isEmpty else { return machine.stagingCommitted() }
        do {
            try storage.commit(writes)
            machine.stagingCommitted()
            if isStorageFailing {
                isStorageFailing = false
                logger.notice("Histories are stored again")
            }
        } catch {
            machine.stagingFailed()
            if !isStorageFailing {
                isStorageFailing = true
                logger.error(
                    "Histories cannot be stored: messages to these rooms are refused",
                    metadata: ["error.message": "\(error)"])
            }
        }
    }

    /// `false`: it is not the time for operations on its link.
    private func carryOut(_ pending: PendingOperation, _ now: MonotonicTime, _ wallTime: Int64) -> Bool {
        let operation = pending.operation
        guard case .worker(let link, let index) = pending.source else {
            if case .control(let completion) = pending.source, let backend = pending.backend {
                completion(
                    machine.carryOut(
                        backend.calls, sequence: operation.sequence, from: nil, isRepeated: false, now: now,
                        wallTime: wallTime, output: self))
            }
            return true
        }
        guard link.phase != .closed else { return true }
        targets.removeAll(keepingCapacity: true)
        payload = pending.payload
        let outcome = machine.received(operation, from: index, now: now, wallTime: wallTime, output: self)
        guard outcome != .outOfOrder else { return false }
        if let backend = pending.backend {
            let results = machine.carryOut(
                backend.calls, sequence: operation.sequence, from: index, isRepeated: outcome == .duplicate, now: now,
                wallTime: wallTime, output: self)
            let response = backend.response(results, workers: machine.linkCount).encoded()
            reply(.backend(Array(response.readableBytesView)), sequence: operation.sequence, to: index)
        }
        // What a repeated operation led to may still wait in any link.
        let waitsFor = outcome == .duplicate ? links.indices.filter { links[$0] != nil } : targets
        tracker.processed(operation.sequence, from: index, targets: waitsFor)
        link.owesAck = true
        mark(link)
        return true
    }

    /// Answers a call of the backend's API that came over the control socket.
    func answer(_ encoded: ByteBuffer, completion: @escaping (ByteBuffer) -> Void) {
        let plan = BackendPlan(encoded, maxData: maxData)
        submit(plan.calls) { results in
            completion(plan.response(results, workers: self.machine.linkCount).encoded())
        }
    }

    /// Publishes for an operator; the number of members addressed, or a sentence that says why not.
    func publish(room: String, data: String, completion: @escaping (Result<Int, PublishRefusal>) -> Void) {
        guard (1...Int(UInt16.max)).contains(room.utf8.count) else {
            return completion(.failure(PublishRefusal(reason: "The room's name has to have 1 to 65535 bytes.")))
        }
        guard data.utf8.count <= maxData else {
            return completion(.failure(PublishRefusal(reason: "The data is longer than \(maxData) bytes.")))
        }
        let bytes = Array(data.utf8)
        do throws(JSONError) {
            _ = try ByteBuffer(bytes: bytes).withUnsafeReadableBytes { bytes throws(JSONError) in
                try JSONScanner.scanValue(bytes)
            }
        } catch {
            return completion(.failure(PublishRefusal(reason: "The data is not JSON: \(error.sentence).")))
        }
        submit([.publish(RoomName(room), data: bytes, messageID: nil, user: nil)]) { results in
            switch results.first {
            case .published(_, _, let members): completion(.success(members))
            case .refused(let refusal): completion(.failure(PublishRefusal(reason: refusal.words + ".")))
            default: completion(.failure(PublishRefusal(reason: "The hub could not publish; try again.")))
            }
        }
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
        case .notAnArray: "not an array"
        }
    }
}
