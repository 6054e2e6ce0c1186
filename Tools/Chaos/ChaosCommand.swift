import ArgumentParser
import Glibc
import NIOCore
import NIOPosix
import WsdClient

/// The load and the judge of `scripts/chaos`: many clients in many rooms publish numbered messages while somebody else
/// kills what serves them, and everything that was acknowledged is looked for at every member.
@main
struct ChaosCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wsd-chaos",
        abstract: "Publishes numbered messages from many clients and counts what was lost, doubled or out of order.")

    @Option(help: "Where to connect.")
    var url: String
    @Option(help: "Clients.")
    var clients = 2000
    @Option(help: "Rooms; each client is in one.")
    var rooms = 200
    @Option(help: "How long is published.")
    var seconds = 120
    @Option(help: "Publications of each client in a second.")
    var rate = 0.5
    @Option(help: "Begins the rooms' names.")
    var prefix = "chaos-"
    @Option(help: "How long to wait in the end for what is on its way, in seconds.")
    var patience = 60

    func validate() throws {
        guard (1...100_000).contains(clients), (1...clients).contains(rooms), rate > 0, seconds > 0 else {
            throw ValidationError("Needs at least a client for each room, a rate above 0 and a time above 0.")
        }
    }

    func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let book = ChaosBook(clients: clients, rooms: rooms)
        let players = try (0..<clients).map { number in
            try ChaosPlayer(
                number: number, url: url, room: "\(prefix)\(number % rooms)", book: book, eventLoop: group.next())
        }
        try await begin(players, book)
        print("begun: \(clients) clients in \(rooms) rooms")
        fflush(nil)
        try await publish(players)
        print("published: waiting for what is on its way")
        fflush(nil)
        try await settle(book, group.next())
        for player in players { player.client.close() }
        let report = try await group.next().submit { book.report() }.get()
        var recovered = (0, 0)
        for player in players {
            let figures = try await player.client.statistics()
            recovered.0 += figures.recovered
            recovered.1 += figures.notRecovered
        }
        print(report.text(recovered: recovered.0, notRecovered: recovered.1))
        try await group.shutdownGracefully()
        guard report.isGood else { throw ExitCode.failure }
    }

    /// All clients join, a few hundred at a time.
    private func begin(_ players: [ChaosPlayer], _ book: ChaosBook) async throws {
        for player in players {
            player.client.join(player.room)
            if player.number % 200 == 199 { try await Task.sleep(for: .milliseconds(100)) }
        }
        for _ in 0..<600 {
            if try await players[0].eventLoop.submit({ book.joined }).get() == clients { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw ValidationError("Not all clients had joined after 60 s.")
    }

    private func publish(_ players: [ChaosPlayer]) async throws {
        // Evenly over time: in each step of 20 ms its share of the clients.
        let steps = Int(Double(seconds) / 0.02)
        let perStep = Double(clients) * rate * 0.02
        let clock = ContinuousClock()
        let start = clock.now
        var (due, next) = (0.0, 0)
        for step in 0..<steps {
            due += perStep
            while due >= 1 {
                players[next % clients].publish()
                next += 1
                due -= 1
            }
            try await clock.sleep(until: start + .milliseconds(20 * (step + 1)))
        }
    }

    /// Waits until everything has been answered and seen, or nothing moves any more.
    private func settle(_ book: ChaosBook, _ eventLoop: any EventLoop) async throws {
        for _ in 0..<(patience * 10) {
            if try await eventLoop.submit({ book.isSettled }).get() { return }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}

/// One client and what it has published.
final class ChaosPlayer: Sendable {
    let number: Int
    let room: String
    let client: WsdClient
    let eventLoop: any EventLoop
    private let book: ChaosBook

    init(number: Int, url: String, room: String, book: ChaosBook, eventLoop: any EventLoop) throws {
        self.number = number
        self.room = room
        self.book = book
        self.eventLoop = eventLoop
        var configuration = WsdClientConfiguration(url: url)
        configuration.maxDelay = .seconds(2)
        client = try WsdClient(configuration, on: eventLoop) { event in
            book.happened(event, client: number, at: eventLoop.now.uptimeNanoseconds)
        }
    }

    func publish() {
        eventLoop.execute { [self] in
            let message = book.nextMessage(client: number, at: eventLoop.now.uptimeNanoseconds)
            client.publishing(room, data: "[\(number),\(message)]").whenComplete { [book, number] result in
                if case .success = result {
                    book.acknowledged(client: number, message: message)
                } else {
                    book.unanswered(client: number, message: message)
                }
            }
        }
    }
}
