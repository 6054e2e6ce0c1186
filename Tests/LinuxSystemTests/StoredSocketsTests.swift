import Glibc
import Model
import Testing

@testable import LinuxSystem

struct StoredSocketsTests {
    private static let port = ListenAddress.tcp(host: "127.0.0.1", port: 8080)
    private static let every = ListenAddress.tcp(host: nil, port: 80)
    private static let path = ListenAddress.unix(path: "/run/wsd/app.sock")

    private func held(_ descriptor: Int32, _ address: ListenAddress, name: String? = nil) -> SystemdSockets.Inherited {
        SystemdSockets.Inherited(
            socket: ListeningSocket(descriptor: descriptor, address: address),
            name: name ?? StoredSockets.name(of: address) ?? "")
    }

    @Test func namesAreWhatSystemdTakes() {
        #expect(StoredSockets.name(of: Self.port) == "wsd-listen-127.0.0.1%3a8080")
        #expect(StoredSockets.name(of: .tcp(host: "::1", port: 80)) == "wsd-listen-%5b%3a%3a1%5d%3a80")
        #expect(StoredSockets.name(of: Self.path) == "wsd-listen-unix%3a/run/wsd/app.sock")
        #expect(StoredSockets.name(of: .unix(path: "/ü%\n")) == "wsd-listen-unix%3a/%c3%bc%25%0a")
        #expect(StoredSockets.name(of: .tcp(host: String(repeating: "a", count: 250), port: 1)) == nil)
    }

    @Test func heldSocketsOfConfiguredAddressesAreKept() {
        let plan = StoredSockets.plan(
            [held(3, Self.port), held(4, Self.every), held(5, Self.every)], for: [Self.every, Self.port],
            isUsable: { _ in true })
        #expect(plan.activated.isEmpty && plan.stale.isEmpty)
        #expect(plan.kept[Self.port]?.map(\.descriptor) == [3])
        #expect(plan.kept[Self.every]?.map(\.descriptor) == [4, 5])
    }

    @Test func othersAreStale() {
        let plan = StoredSockets.plan(
            [held(3, Self.port), held(4, Self.every)], for: [Self.every], isUsable: { _ in true })
        #expect(plan.staleNames == ["wsd-listen-127.0.0.1%3a8080"])
        #expect(plan.kept.keys.sorted { $0.description < $1.description } == [Self.every])
    }

    /// The kernel chose the port once; it stays the same.
    @Test func theNameIsThatOfTheConfiguredAddress() {
        let free = ListenAddress.tcp(host: "127.0.0.1", port: 0)
        let plan = StoredSockets.plan([held(3, Self.port, name: StoredSockets.name(of: free))], for: [free])
        #expect(plan.kept[free]?.map(\.address) == [Self.port])
    }

    @Test func socketUnitsWin() {
        let plan = StoredSockets.plan(
            [held(3, Self.every, name: "wsd.socket"), held(4, Self.port)], for: [Self.port], isUsable: { _ in true })
        #expect(plan.activated.map(\.descriptor) == [3])
        #expect(plan.kept.isEmpty && plan.stale.map(\.socket.descriptor) == [4])
    }

    @Test func oneUnusableSocketOfANameDropsAll() {
        let plan = StoredSockets.plan(
            [held(3, Self.every), held(4, Self.every)], for: [Self.every], isUsable: { $0.descriptor == 3 })
        #expect(plan.kept.isEmpty && Set(plan.stale.map(\.socket.descriptor)) == [3, 4])
    }

    /// Those of programs wait for their programs, whatever the service itself listens on; where it is to bind itself, they go.
    @Test func socketsOfProgramsAreAsideUnlessTheyAreInTheWay() {
        let api = StoredSockets.name(of: Self.port, program: "api") ?? ""
        #expect(api == "wsd-program-api%3a127.0.0.1%3a8080")
        let inherited = [held(3, Self.every), held(4, Self.port, name: api)]
        for addresses in [[Self.every], []] {
            let plan = StoredSockets.plan(inherited, for: addresses)
            #expect(plan.programs.map(\.socket.descriptor) == [4])
            #expect(plan.activated.isEmpty && !plan.staleNames.contains(api))
        }
        let plan = StoredSockets.plan(inherited, for: [Self.every, .tcp(host: nil, port: 8080)])
        #expect(plan.programs.isEmpty && plan.staleNames == [api])
    }

    /// Shut down by a process that was killed before it had told the service manager.
    @Test func whatDoesNotListenAnyMoreIsStale() {
        var dead = [held(3, Self.port), held(4, Self.port, name: "wsd-program-api%3a8080")]
        for index in dead.indices { dead[index].isListening = false }
        let plan = StoredSockets.plan(dead, for: [Self.port])
        #expect(plan.stale.map(\.socket.descriptor) == [3, 4])
        #expect(plan.kept.isEmpty && plan.programs.isEmpty && plan.activated.isEmpty)
    }

    @Test func aUnixSocketWithoutItsFileIsOfNoUse() throws {
        let directory = try TemporaryDirectory()
        let address = ListenAddress.unix(path: directory.path + "/app.sock")
        let socket = try #require(try ListeningSocket.bind(address).first)
        defer { socket.close() }
        let inherited = [held(socket.descriptor, address)]
        #expect(StoredSockets.plan(inherited, for: [address]).kept[address]?.count == 1)
        socket.removeFile()
        #expect(StoredSockets.plan(inherited, for: [address]).stale.count == 1)
    }
}
