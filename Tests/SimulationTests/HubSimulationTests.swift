import Model
import Realtime
import Testing

/// The hub and the workers' halves through crashes at any step. A failing seed is printed; keep it as an argument.
struct HubSimulationTests {
    private static let seeds: ClosedRange<UInt64> = 1...12

    @Test(arguments: seeds)
    func nothingFails(seed: UInt64) {
        let simulation = HubSimulation(seed: seed, workers: 3, faults: .init())
        simulation.run(steps: 2_000)
        simulation.settle()
        check(simulation, seed: seed)
        checkOrder(simulation, seed: seed)
        checkAnnouncements(simulation, seed: seed)
    }

    @Test(arguments: seeds)
    func workersDie(seed: UInt64) {
        let simulation = HubSimulation(seed: seed, workers: 4, faults: .init(workerCrashes: true))
        simulation.run(steps: 2_000)
        simulation.settle()
        check(simulation, seed: seed)
        checkOrder(simulation, seed: seed)
        checkAnnouncements(simulation, seed: seed)
        for loss in simulation.losses {
            let event = "-\(loss.member.id) \(loss.room)"
            for witness in stayed(loss.witnesses, in: loss.room, since: loss.step) {
                #expect(
                    witness.presence.contains(event),
                    "seed \(seed): \(witness.id) never heard \(event) of step \(loss.step)")
            }
        }
    }

    @Test(arguments: seeds)
    func hubDies(seed: UInt64) {
        let simulation = HubSimulation(seed: seed, workers: 3, faults: .init(hubCrashes: true))
        simulation.run(steps: 3_000)
        simulation.settle()
        check(simulation, seed: seed)
        checkAnnouncements(simulation, seed: seed)
    }

    @Test(arguments: seeds)
    func everythingFails(seed: UInt64) {
        let simulation = HubSimulation(
            seed: seed, workers: 3,
            faults: .init(hubCrashes: true, workerCrashes: true, cuts: true, fullDisk: true))
        simulation.run(steps: 3_000)
        simulation.settle()
        check(simulation, seed: seed)
    }

    /// Clients that have been members of a room since before `step` until now.
    private func stayed(_ clients: [SimulatedClient], in room: RoomName, since step: Int) -> [SimulatedClient] {
        clients.filter { client in
            guard !client.isGone, let confirmed = client.confirmed[room] else { return false }
            return confirmed <= step
        }
    }

    /// What holds whatever failed.
    private func check(_ simulation: HubSimulation, seed: UInt64) {
        #expect(simulation.problems == [], "seed \(seed)")
        #expect(simulation.doubleAnswers == [], "seed \(seed): answered twice")
        for client in simulation.everyClient {
            let data = client.messages.map(\.data)
            #expect(Set(data).count == data.count, "seed \(seed): \(client.id) got a message twice")
            checkPresence(client, simulation, seed: seed)
            if !client.isGone { #expect(client.awaited.isEmpty, "seed \(seed): \(client.id) waits for ever") }
        }
        for worker in simulation.workers {
            #expect(worker.realtime.heldCount == 0, "seed \(seed): operations held for ever")
            #expect(worker.realtime.heldBytes == 0, "seed \(seed)")
            #expect(worker.realtime.isUp, "seed \(seed)")
        }
        checkPublications(simulation, seed: seed)
        checkMembership(simulation, seed: seed)
        checkHistory(simulation, seed: seed)
    }

    private func checkPublications(_ simulation: HubSimulation, seed: UInt64) {
        // The seeds are worth something only if there was something to lose.
        let owed = simulation.publications.values.filter { $0.isAcknowledged && !$0.witnesses.isEmpty }
        #expect(owed.count >= 20, "seed \(seed): next to nothing happened")
        for publication in simulation.publications.values where publication.isAcknowledged {
            // Lost with its worker before any hub that lived on could get it again.
            if simulation.crashedWorkers.contains(publication.publisher), simulation.lastHubCrash >= publication.step {
                continue
            }
            // Rooms with history are looked at by position.
            guard let room = publication.room, !simulation.historyRooms.contains(room) else { continue }
            for witness in stayed(publication.witnesses, in: room, since: publication.step) {
                if isForgotten(publication, witness, simulation) { continue }
                #expect(
                    witness.messages.contains { $0.data == publication.data },
                    "seed \(seed): \(witness.id) misses \(publication.data) of step \(publication.step)")
            }
        }
    }

    /// The hub had cut the witness's link and was then lost itself, before the worker was back: nobody is left who knows
    /// that something is missing.
    private func isForgotten(
        _ publication: HubSimulation.Publication, _ witness: SimulatedClient, _ simulation: HubSimulation
    ) -> Bool {
        let welcomes = simulation.workers.first { $0.boot == witness.id.boot }?.welcomes ?? []
        return (simulation.cuts[witness.id.boot] ?? []).contains { cut in
            let back = welcomes.first { $0 > cut } ?? .max
            return simulation.hubCrashes.contains { crash in
                crash >= cut && crash >= publication.step && (cut >= publication.step || back > publication.step)
            }
        }
    }

    private func checkPresence(_ client: SimulatedClient, _ simulation: HubSimulation, seed: UInt64) {
        var counts: [String: Int] = [:]
        for event in client.presence { counts[event, default: 0] += 1 }
        // Those who may return have no fixed number of joins and leaves.
        let agents = simulation.everyClient.filter { $0.agent != nil }.map(\.id.description)
        for (event, count) in counts {
            let subject = String(event.dropFirst())
            if agents.contains(where: { subject.hasPrefix("\($0) ") }) { continue }
            let cuts = simulation.returns[subject, default: 0]
            let happened = (event.hasPrefix("+") ? simulation.joins : simulation.leaves)[subject, default: 0]
            #expect(count <= happened + cuts, "seed \(seed): \(client.id) heard \(event) \(count) times of \(happened)")
        }
    }

    /// Whoever was a member all the time has heard of every join and leave, whatever happened to the hub.
    private func checkAnnouncements(_ simulation: HubSimulation, seed: UInt64) {
        for client in simulation.everyClient where !client.isGone {
            var missing: [String: Int] = [:]
            for (event, room, subject, step) in simulation.announced where subject !== client {
                guard let since = client.confirmed[room], step > since,
                    !simulation.crashedWorkers.contains(subject.id.boot)
                else { continue }
                missing[event, default: 0] += 1
            }
            for event in client.presence { missing[event]? -= 1 }
            let events = missing.filter { $0.value > 0 }.keys.sorted()
            #expect(events == [], "seed \(seed): \(client.id) did not hear all of them")
        }
    }

    /// The hub's rooms are the sum of the workers'.
    private func checkMembership(_ simulation: HubSimulation, seed: UInt64) {
        var expected: [RoomName: Int] = [:]
        for worker in simulation.workers { worker.realtime.forEachRoom { expected[$0, default: 0] += $1.count } }
        var found: [RoomName: Int] = [:]
        simulation.hub?.machine.forEachRoom { found[$0] = $1 }
        #expect(found == expected, "seed \(seed)")
        #expect(simulation.hub?.machine.membershipCount == expected.values.reduce(0, +), "seed \(seed)")
    }

    /// Over all seeds, everything that is to be shown has happened.
    @Test func nothingIsShownByWhatDoesNotHappen() {
        var figures: [HubFigures] = []
        var failedCommits = 0
        for seed in 1...6 as ClosedRange<UInt64> {
            let simulation = HubSimulation(
                seed: seed, workers: 3,
                faults: .init(hubCrashes: true, workerCrashes: true, cuts: true, fullDisk: true))
            simulation.run(steps: 3_000)
            simulation.settle()
            figures += simulation.figures
            failedCommits += simulation.storage.failures
        }
        func sum(_ figure: KeyPath<HubFigures, Int>) -> Int { figures.reduce(0) { $0 + $1[keyPath: figure] } }
        #expect(figures.count > 12)
        #expect(failedCommits > 50)
        #expect(sum(\.recorded) > 1_000)
        #expect(sum(\.repetitions) > 10)
        #expect(sum(\.resumesRecovered) > 50)
        #expect(sum(\.resumesFailed) > 5)
        #expect(sum(\.caughtUp) > 50)
        #expect(sum(\.gaps) > 0)
        #expect(sum(\.returned) > 5)
    }

    /// Nobody who is in a room with history misses anything, and nothing is recorded twice.
    private func checkHistory(_ simulation: HubSimulation, seed: UInt64) {
        for room in simulation.historyRooms {
            let recorded = simulation.storage.recorded[room] ?? [:]
            let data = recorded.values.sorted()
            #expect(data.count >= 30, "seed \(seed): next to nothing was recorded in \(room)")
            #expect(Set(data).count == data.count, "seed \(seed): recorded twice in \(room)")
            #expect(simulation.refused.isDisjoint(with: data), "seed \(seed): refused, but recorded in \(room)")
            guard let head = simulation.storage.position(of: room) else { continue }
            for worker in simulation.workers {
                for client in worker.clients where worker.realtime.rooms.contains(client.id.serial, in: room) {
                    guard case .at(let place) = client.places[room] else { continue }
                    #expect(place == head, "seed \(seed): \(client.id) in \(room) has not come to the end")
                }
            }
        }
    }

    /// Everybody in a room sees the hub's order.
    private func checkOrder(_ simulation: HubSimulation, seed: UInt64) {
        for (room, data) in simulation.order where !simulation.historyRooms.contains(room) {
            #expect(Set(data).count == data.count, "seed \(seed): ordered twice in \(room)")
            let places = Dictionary(data.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
            for client in simulation.everyClient {
                let seen = client.messages.filter { $0.room == room }.compactMap { places[$0.data] }
                #expect(seen == seen.sorted(), "seed \(seed): \(client.id) saw another order in \(room)")
            }
        }
    }
}
