import Model
import Realtime

/// What clients of `wsd.v1.json` do in rooms with history.
extension HubSimulation {
    func act(_ agent: SimulatedAgent) {
        guard let client = agent.client else {
            if let worker = workers.randomElement(using: &generator) { connect(agent, to: worker) }
            return
        }
        guard let worker = workers.first(where: { $0.boot == client.id.boot }),
            let room = historyRooms.randomElement(using: &generator)
        else { return }
        switch Int.random(in: 0..<40, using: &generator) {
        case 0..<10: join(room, client, agent, worker)
        case 10: leave(room, client, agent, worker)
        case 11, 12: worker.removeClient(client, mayReturn: true, now: now)
        case 13..<16: retry(client, worker)
        default:
            let data = nextRequest()
            let id = Bool.random(using: &generator) ? MessageID("id \(data)") : nil
            publish(data, request: data, id, room, client, worker)
        }
    }

    private func join(
        _ room: RoomName, _ client: SimulatedClient, _ agent: SimulatedAgent, _ worker: SimulatedWorker
    ) {
        var options = JoinOptions()
        options.since = agent.since(room)
        options.session = agent.session
        let request = nextRequest()
        let outcome = worker.execute(.join(room, options), client, request: request, data: "", now: now)
        guard outcome == .accepted else { return }
        client.awaited[request] = step
        if let since = options.since { client.places[room] = .at(since) }
    }

    private func leave(
        _ room: RoomName, _ client: SimulatedClient, _ agent: SimulatedAgent, _ worker: SimulatedWorker
    ) {
        let request = nextRequest()
        guard worker.execute(.leave(room), client, request: request, data: "", now: now) == .accepted else { return }
        client.awaited[request] = step
        agent.left(room)
    }

    private func publish(
        _ data: String, request: String, _ id: MessageID?, _ room: RoomName, _ client: SimulatedClient,
        _ worker: SimulatedWorker
    ) {
        let outcome = worker.execute(.publish(room, messageID: id), client, request: request, data: data, now: now)
        guard outcome == .accepted else { return }
        client.awaited[request] = step
        publish(request, data: data, messageID: id, room, client)
    }

    /// Publishes something again, under its message id, because it was refused or no answer came; or without need.
    private func retry(_ client: SimulatedClient, _ worker: SimulatedWorker) {
        let candidates = publications.filter { $0.value.messageID != nil && step - $0.value.step < 1_000 }
        guard let chosen = candidates.keys.sorted().randomElement(using: &generator),
            let publication = publications[chosen], let room = publication.room
        else { return }
        refused.remove(publication.data)
        publish(publication.data, request: nextRequest(), publication.messageID, room, client, worker)
    }

    /// The answer to a publication has come.
    func decided(_ publication: Publication, _ request: String, _ outcome: Result<HubReply?, ClientRefusal>) {
        switch outcome {
        case .failure(let refusal):
            // A repetition of one that may have been recorded says nothing of the first attempt.
            if refusal.code == .storageFailed, publication.messageID == nil { refused.insert(publication.data) }
        case .success(let reply):
            publications[request]?.isAcknowledged = true
            guard let room = publication.room, historyRooms.contains(room) else { return }
            guard case .published(let position?, _)? = reply else {
                return problems.append("\(publication.data) has no position: \(String(describing: reply))")
            }
            if storage.recorded[room]?[position] != publication.data {
                problems.append("\(publication.data) is acknowledged, but not recorded")
            }
        }
    }
}
