import Model
import NIOCore
import Realtime

/// A hub and some workers on a virtual clock. Every step does a few random things; invariants are checked at the end,
/// once all has come to rest.
final class HubSimulation {
    struct Faults {
        var hubCrashes = false
        var workerCrashes = false
        var cuts = false
    }

    /// A publication that the hub acknowledged has to reach these clients, unless they leave or their worker dies.
    struct Publication {
        var data: String
        var room: RoomName?
        var step: Int
        var publisher: BootID
        var witnesses: [SimulatedClient]
        var isAcknowledged = false
    }

    /// Members of a worker that was killed, and who is to hear of it.
    struct Loss {
        var member: SimulatedClient
        var room: RoomName
        var step: Int
        var witnesses: [SimulatedClient]
    }

    private static let actionsPerStep = 12

    private let faults: Faults
    private var generator: SimulationGenerator
    private let rooms = ["a", "b", "ü"].map { RoomName($0) }
    private(set) var step = 0
    private(set) var hub: SimulatedHub?
    private(set) var workers: [SimulatedWorker] = []
    private(set) var publications: [String: Publication] = [:]
    private(set) var losses: [Loss] = []
    private(set) var lastHubCrash = -1
    private(set) var crashedWorkers: Set<BootID> = []
    private(set) var leaves: [String: Int] = [:]
    private(set) var joins: [String: Int] = [:]
    /// How often the hub took a membership for ended and then for begun again, because it cut the link.
    private(set) var returns: [String: Int] = [:]
    /// Step of the last cut of a worker's link.
    private(set) var lastCut: [BootID: Int] = [:]
    /// Joins (`+`) and leaves (`-`) by command: what the others in the room have to hear of.
    private(set) var announced: [(event: String, room: RoomName, subject: SimulatedClient, step: Int)] = []
    private(set) var everyClient: [SimulatedClient] = []
    private(set) var doubleAnswers: [String] = []
    /// What every hub ever ordered, by room.
    private(set) var order: [RoomName: [String]] = [:]
    private(set) var problems: [String] = []
    private var requests = 0

    init(seed: UInt64, workers count: Int, faults: Faults) {
        self.faults = faults
        generator = SimulationGenerator(seed: seed)
        for _ in 0..<count { startWorker() }
        startHub()
    }

    /// One step is a millisecond.
    private var now: MonotonicTime { .zero + .milliseconds(step) }

    func run(steps: Int) {
        for _ in 0..<steps {
            step += 1
            for _ in 0..<Self.actionsPerStep { act() }
            for worker in workers { worker.expire(now: now) }
        }
    }

    /// Lets everything that is on its way arrive, with nothing new and no more faults.
    func settle() {
        if hub == nil { startHub() }
        for _ in 0..<1_200 {
            step += 1
            for worker in workers {
                connect(worker)
                worker.write(limit: 500)
                worker.read(limit: 500)
            }
            if let hub {
                for link in hub.links { hub.read(link, limit: 500, now: now) }
                hub.endTurn()
                for link in hub.links { hub.flush(link, limit: 500) }
            }
            for worker in workers { worker.expire(now: now) }
        }
        rememberOrder()
        problems += workers.flatMap(\.faults) + (hub?.faults ?? [])
    }

    private func act() {
        let roll = Int.random(in: 0..<12_000, using: &generator)
        let worker = workers.randomElement(using: &generator)
        let link = hub?.links.randomElement(using: &generator)
        let amount = [1, 30, 200, 600].randomElement(using: &generator) ?? 1
        switch roll {
        case 0..<1 where faults.hubCrashes: crashHub()
        case 1..<4 where faults.workerCrashes: if let worker { crash(worker) }
        case 4..<7 where faults.cuts: if let hub, let link { cut(link, hub) }
        case 8..<50: if hub == nil { startHub() }
        case 50..<350: if let worker { command(worker) }
        case 350..<370: if let worker, worker.clients.count < 6 { everyClient.append(worker.addClient()) }
        case 370..<374:
            if let worker, let client = worker.clients.randomElement(using: &generator) { remove(client, worker) }
        case 374..<2500: worker?.write(limit: amount)
        case 2500..<5200: worker?.read(limit: amount)
        case 5200..<5800: if let worker { connect(worker) }
        case 5800..<8000: if let hub, let link { hub.read(link, limit: amount, now: now) }
        case 8000..<9000: hub?.endTurn()
        default: if let hub, let link { hub.flush(link, limit: amount) }
        }
    }

    private func command(_ worker: SimulatedWorker) {
        guard let client = worker.clients.randomElement(using: &generator),
            let room = rooms.randomElement(using: &generator)
        else { return }
        requests += 1
        let request = "\(requests)"
        let command: ClientCommand
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<3: command = .join(room)
        case 3: command = .leave(room)
        case 4: command = .broadcast
        default: command = .send(room)
        }
        let wasMember = worker.realtime.rooms.contains(client.id.serial, in: room)
        let outcome = worker.execute(command, client, request: request, data: request, now: now)
        guard outcome == .accepted else { return }
        client.awaited[request] = step
        switch command {
        case .join:
            client.latestJoin[room] = request
            guard !wasMember else { return }
            joins["\(client.id) \(room)", default: 0] += 1
            announced.append(("+\(client.id) \(room)", room, client, step))
        case .leave:
            client.confirmed[room] = nil
            guard wasMember else { return }
            leaves["\(client.id) \(room)", default: 0] += 1
            announced.append(("-\(client.id) \(room)", room, client, step))
        case .send: publish(request, room, client)
        case .broadcast: publish(request, nil, client)
        }
    }

    private func publish(_ data: String, _ room: RoomName?, _ publisher: SimulatedClient) {
        let others = workers.flatMap(\.clients).filter { $0 !== publisher }
        // Everyone hears a broadcast, but which workers are registered when it is ordered is not decided here.
        let witnesses = room.map { room in others.filter { $0.confirmed[room] != nil } } ?? []
        publications[data] = Publication(
            data: data, room: room, step: step, publisher: publisher.id.boot, witnesses: witnesses)
    }

    private func answered(_ client: SimulatedClient, _ request: PendingRequest, _ succeeded: Bool) {
        guard let id = request.id?.json else { return }
        if client.awaited.removeValue(forKey: id) == nil { doubleAnswers.append(id) }
        guard succeeded else { return }
        publications[id]?.isAcknowledged = true
        guard case .join(let room) = request.command, client.latestJoin[room] == id, isMember(client, room) else {
            return
        }
        if client.confirmed[room] == nil { client.confirmed[room] = step }
    }

    private func isMember(_ client: SimulatedClient, _ room: RoomName) -> Bool {
        workers.contains { $0.boot == client.id.boot && $0.realtime.rooms.contains(client.id.serial, in: room) }
    }

    private func remove(_ client: SimulatedClient, _ worker: SimulatedWorker) {
        countLeaves(client, worker)
        worker.removeClient(client)
    }

    private func countLeaves(_ client: SimulatedClient, _ worker: SimulatedWorker) {
        for room in worker.realtime.rooms.rooms(of: client.id.serial) {
            leaves["\(client.id) \(room)", default: 0] += 1
        }
    }

    private func cut(_ link: SimulatedHub.Link, _ hub: SimulatedHub) {
        if let worker = workers.first(where: { $0.link === link.link }) {
            lastCut[worker.boot] = step
            for client in everyClient where client.id.boot == worker.boot {
                for room in rooms { returns["\(client.id) \(room)", default: 0] += 1 }
            }
        }
        hub.cut(link)
    }

    private func startWorker() {
        let worker = SimulatedWorker(boot: BootID(rawValue: generator.next()))
        worker.answered = { [unowned self] in self.answered($0, $1, $2) }
        worker.closing = { [unowned self, unowned worker] in self.countLeaves($0, worker) }
        workers.append(worker)
        for _ in 0..<2 { everyClient.append(worker.addClient()) }
    }

    private func startHub() {
        hub = SimulatedHub(boot: BootID(rawValue: generator.next()), expectedLinks: workers.count, now: now)
    }

    private func connect(_ worker: SimulatedWorker) {
        guard let hub, worker.link == nil else { return }
        let link = SimulatedLink()
        hub.accept(link)
        worker.connect(link)
    }

    private func crashHub() {
        guard let hub else { return }
        rememberOrder()
        problems += hub.faults
        hub.crash()
        self.hub = nil
        lastHubCrash = step
    }

    private func rememberOrder() {
        guard let hub else { return }
        order.merge(hub.order) { $0 + $1 }
    }

    private func crash(_ worker: SimulatedWorker) {
        problems += worker.faults
        crashedWorkers.insert(worker.boot)
        for client in worker.clients {
            for room in worker.realtime.rooms.rooms(of: client.id.serial) {
                leaves["\(client.id) \(room)", default: 0] += 1
                guard client.confirmed[room] != nil else { continue }
                let witnesses = workers.filter { $0 !== worker }.flatMap(\.clients).filter { $0.confirmed[room] != nil }
                losses.append(Loss(member: client, room: room, step: step, witnesses: witnesses))
            }
        }
        worker.crash()
        workers.removeAll { $0 === worker }
        startWorker()
    }
}
