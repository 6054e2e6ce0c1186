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
        /// Commits fail at times.
        var fullDisk = false
    }

    /// A publication that the hub acknowledged has to reach these clients, unless they leave or their worker dies.
    struct Publication {
        var data: String
        var messageID: MessageID?
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
    /// Messages kept in a room with history: few, so that some members come too late.
    static let historySize = 15

    private let faults: Faults
    var generator: SimulationGenerator
    private let rooms = ["a", "b", "ü", "h1", "h2"].map { RoomName($0) }
    let historyRooms = ["h1", "h2"].map { RoomName($0) }
    let configuration: WsdConfiguration
    let storage = SimulatedStorage()
    private(set) var agents: [SimulatedAgent] = []
    /// Data of publications that were refused because they could not be recorded.
    var refused: Set<String> = []
    /// What hubs that are gone have counted.
    private(set) var figures: [HubFigures] = []
    private(set) var step = 0
    private(set) var hub: SimulatedHub?
    private(set) var workers: [SimulatedWorker] = []
    /// By request.
    var publications: [String: Publication] = [:]
    private(set) var losses: [Loss] = []
    private(set) var lastHubCrash = -1
    private(set) var hubCrashes: [Int] = []
    private(set) var crashedWorkers: Set<BootID> = []
    private(set) var leaves: [String: Int] = [:]
    private(set) var joins: [String: Int] = [:]
    /// How often the hub took a membership for ended and then for begun again, because it cut the link.
    private(set) var returns: [String: Int] = [:]
    /// Steps at which a worker's link was cut.
    private(set) var cuts: [BootID: [Int]] = [:]
    /// Joins (`+`) and leaves (`-`) by command: what the others in the room have to hear of.
    private(set) var announced: [(event: String, room: RoomName, subject: SimulatedClient, step: Int)] = []
    private(set) var everyClient: [SimulatedClient] = []
    /// Until which step a worker does not connect again.
    private var awayUntil: [BootID: Int] = [:]
    var doubleAnswers: [String] = []
    /// What every hub ever ordered, by room.
    private(set) var order: [RoomName: [String]] = [:]
    var problems: [String] = []
    var requests = 0

    init(seed: UInt64, workers count: Int, faults: Faults) {
        self.faults = faults
        generator = SimulationGenerator(seed: seed)
        var configuration = WsdConfiguration()
        var rule = RoomRule(match: "h*")
        rule.historySize = Self.historySize
        configuration.rooms.rules = [rule]
        configuration.rooms.announceMax = 1000
        configuration.rooms.presenceGrace = .milliseconds(200)
        configuration.history.recoveryPage = 1000
        self.configuration = configuration
        agents = (1...4).map { SimulatedAgent(user: UserName("agent \($0)")) }
        for _ in 0..<count { startWorker() }
        startHub()
    }

    /// One step is a millisecond.
    var now: MonotonicTime { .zero + .milliseconds(step) }

    func run(steps: Int) {
        for _ in 0..<steps {
            step += 1
            for _ in 0..<Self.actionsPerStep { act() }
            for worker in workers { worker.elapse(now: now) }
        }
    }

    /// Lets everything that is on its way arrive, with nothing new and no more faults.
    func settle() {
        if hub == nil { startHub() }
        storage.fails = false
        for _ in 0..<1_200 {
            step += 1
            for worker in workers {
                connect(worker)
                worker.write(limit: 500)
                worker.read(limit: 500, now: now)
            }
            if let hub {
                for link in hub.links { hub.read(link, limit: 500, now: now) }
                _ = hub.endTurn(now: now)
                for link in hub.links { hub.flush(link, limit: 500) }
            }
            for worker in workers { worker.elapse(now: now) }
        }
        rememberHub()
        problems += workers.flatMap(\.faults) + storage.faults + everyClient.flatMap(\.faults)
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
        case 350..<370:
            if let worker, simpleClients(of: worker).count < 6 { addClient(worker) }
        case 370..<374:
            if let worker, let client = simpleClients(of: worker).randomElement(using: &generator) {
                remove(client, worker)
            }
        case 374..<700: agents.randomElement(using: &generator).map(act)
        case 700..<2500: worker?.write(limit: amount)
        case 2500..<5200: worker?.read(limit: amount, now: now)
        case 5200..<5800: if let worker { connect(worker) }
        case 5800..<8000: if let hub, let link { hub.read(link, limit: amount, now: now) }
        case 8000..<9000: endTurn()
        default: if let hub, let link { hub.flush(link, limit: amount) }
        }
    }

    private func endTurn() {
        storage.fails = faults.fullDisk && Int.random(in: 0..<8, using: &generator) == 0
        let dies = faults.hubCrashes && Int.random(in: 0..<400, using: &generator) == 0
        if hub?.endTurn(now: now, diesAfterCommit: dies) == false { crashHub() }
    }

    func simpleClients(of worker: SimulatedWorker) -> [SimulatedClient] {
        worker.clients.filter { $0.agent == nil }
    }

    private func addClient(_ worker: SimulatedWorker) {
        everyClient.append(worker.addClient(session: SessionID(rawValue: generator.next()), now: now))
    }

    private func command(_ worker: SimulatedWorker) {
        guard let client = simpleClients(of: worker).randomElement(using: &generator),
            let room = rooms.randomElement(using: &generator)
        else { return }
        let request = nextRequest()
        let command: ClientCommand
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<3: command = .join(room, .plain)
        case 3: command = .leave(room)
        case 4: command = .broadcast
        default: command = .publish(room, messageID: nil)
        }
        let wasMember = worker.realtime.rooms.contains(client.id.serial, in: room)
        let outcome = worker.execute(command, client, request: request, data: request, now: now)
        guard outcome == .accepted else { return }
        client.awaited[request] = step
        switch command {
        case .join:
            client.latestJoin[room] = request
            guard !wasMember else { return }
            client.places[room] = nil
            joins["\(client.id) \(room)", default: 0] += 1
            // The hub learns of it with a link's snapshot, and the next hub by its replay.
            if hub?.links.contains(where: { $0.link === worker.link }) != true {
                returns["\(client.id) \(room)", default: 0] += 1
            }
            announced.append(("+\(client.id) \(room)", room, client, step))
        case .leave:
            client.confirmed[room] = nil
            client.places[room] = nil
            guard wasMember else { return }
            leaves["\(client.id) \(room)", default: 0] += 1
            announced.append(("-\(client.id) \(room)", room, client, step))
        case .publish: publish(request, data: request, room, client)
        default: publish(request, data: request, nil, client)
        }
    }

    func nextRequest() -> String {
        requests += 1
        return "\(requests)"
    }

    func publish(
        _ request: String, data: String, messageID: MessageID? = nil, _ room: RoomName?, _ publisher: SimulatedClient
    ) {
        let others = workers.flatMap(\.clients).filter { $0 !== publisher }
        // Everyone hears a broadcast, but which workers are registered when it is ordered is not decided here.
        let witnesses = room.map { room in others.filter { $0.confirmed[room] != nil } } ?? []
        publications[request] = Publication(
            data: data, messageID: messageID, room: room, step: step, publisher: publisher.id.boot,
            witnesses: witnesses)
    }

    private func answered(
        _ client: SimulatedClient, _ request: PendingRequest, _ outcome: Result<HubReply?, ClientRefusal>
    ) {
        guard let id = request.id?.json else { return }
        if client.awaited.removeValue(forKey: id) == nil { doubleAnswers.append(id) }
        if let publication = publications[id] { decided(publication, id, outcome) }
        guard case .success(let reply) = outcome, client.agent == nil, case .join(let room, _)? = request.command,
            client.latestJoin[room] == id, isMember(client, room)
        else { return }
        if client.confirmed[room] == nil { client.confirmed[room] = step }
        guard historyRooms.contains(room), client.places[room] == nil else { return }
        if case .joined(let result)? = reply, let position = result.position { client.places[room] = .at(position) }
    }

    private func isMember(_ client: SimulatedClient, _ room: RoomName) -> Bool {
        workers.contains { $0.boot == client.id.boot && $0.realtime.rooms.contains(client.id.serial, in: room) }
    }

    private func remove(_ client: SimulatedClient, _ worker: SimulatedWorker) {
        countLeaves(client, worker)
        for room in rooms where isMember(client, room) {
            announced.append(("-\(client.id) \(room)", room, client, step))
        }
        worker.removeClient(client, now: now)
    }

    private func countLeaves(_ client: SimulatedClient, _ worker: SimulatedWorker) {
        for room in rooms where worker.realtime.rooms.contains(client.id.serial, in: room) {
            leaves["\(client.id) \(room)", default: 0] += 1
        }
    }

    private func cut(_ link: SimulatedHub.Link, _ hub: SimulatedHub) {
        if let worker = workers.first(where: { $0.link === link.link }) {
            cuts[worker.boot, default: []].append(step)
            if Int.random(in: 0..<4, using: &generator) == 0 { awayUntil[worker.boot] = step + 200 }
            for client in everyClient where client.id.boot == worker.boot {
                for room in rooms { returns["\(client.id) \(room)", default: 0] += 1 }
            }
        }
        hub.cut(link)
    }

    private func startWorker() {
        let worker = SimulatedWorker(
            boot: BootID(rawValue: generator.next()), configuration: configuration, storage: storage,
            historySize: Self.historySize)
        worker.answered = { [unowned self] in self.answered($0, $1, $2) }
        worker.closing = { [unowned self, unowned worker] in self.countLeaves($0, worker) }
        workers.append(worker)
        for _ in 0..<2 { addClient(worker) }
    }

    private func startHub() {
        hub = SimulatedHub(
            boot: BootID(rawValue: generator.next()), configuration: configuration, expectedLinks: workers.count,
            storage: storage, seed: generator.next(), now: now)
    }

    func connect(_ agent: SimulatedAgent, to worker: SimulatedWorker) {
        let session = SessionID(rawValue: generator.next())
        everyClient.append(worker.addClient(agent, session: session, now: now))
    }

    private func connect(_ worker: SimulatedWorker) {
        guard let hub, worker.link == nil, step >= awayUntil[worker.boot, default: 0] else { return }
        let link = SimulatedLink()
        hub.accept(link)
        worker.connect(link)
    }

    private func crashHub() {
        guard let hub else { return }
        rememberHub()
        hub.crash()
        self.hub = nil
        lastHubCrash = step
        hubCrashes.append(step)
    }

    private func rememberHub() {
        guard let hub else { return }
        order.merge(hub.order) { $0 + $1 }
        problems += hub.faults
        figures.append(hub.machine.figures)
    }

    private func crash(_ worker: SimulatedWorker) {
        problems += worker.faults
        crashedWorkers.insert(worker.boot)
        for client in worker.clients {
            for room in rooms where worker.realtime.rooms.contains(client.id.serial, in: room) {
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
