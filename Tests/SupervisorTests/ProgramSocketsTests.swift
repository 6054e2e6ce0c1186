import Glibc
import Supervision
import Testing

@testable import LinuxSystem
@testable import Model
@testable import Supervisor

struct ProgramSocketsTests {
    private static let address = ListenAddress.tcp(host: "127.0.0.1", port: 0)

    @Test func areBoundOnceAndKeptUntilTheyAreClosed() throws {
        var sockets = ProgramSockets()
        let first = try sockets.sockets(of: "api", [Self.address])
        #expect(try sockets.sockets(of: "api", [Self.address]) == first)
        let descriptor = try #require(first.first).descriptor
        // As a program expects it that does not poll.
        #expect(fcntl(descriptor, F_GETFL) & O_NONBLOCK == 0)
        #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
        #expect(try sockets.sockets(of: "other", []).isEmpty)
        sockets.close("api")
        #expect(try !sockets.sockets(of: "api", [Self.address]).isEmpty)
        #expect(try sockets.sockets(of: "api", []).isEmpty)
        sockets.closeAll()
    }

    @Test func oneThatAProcessSpoiledIsBoundAnew() throws {
        let path = "/tmp/wsd-spoiled-\(UInt64.random(in: 0...UInt64.max))"
        var sockets = ProgramSockets()
        defer { sockets.closeAll() }
        let addresses = [Self.address, .unix(path: path)]
        let first = try sockets.sockets(of: "api", addresses)
        #expect(unlink(path) == 0)
        let second = try sockets.sockets(of: "api", addresses)
        #expect(sockets.takeSpoiled() == [.unix(path: path)])
        #expect(second[0] == first[0] && isListening(second[1].descriptor) && access(path, F_OK) == 0)
        #expect(shutdown(second[0].descriptor, Int32(SHUT_RDWR)) == 0)
        let third = try sockets.sockets(of: "api", addresses)
        #expect(sockets.takeSpoiled() == [Self.address])
        #expect(third[1] == second[1] && isListening(third[0].descriptor))
        #expect(try sockets.sockets(of: "api", addresses) == third)
    }

    /// What the service manager holds stays open at the end of the service, and goes with the program.
    @Test func areHeldForTheNextLife() throws {
        let store = Told()
        var sockets = ProgramSockets(store: store.store)
        let socket = try #require(try sockets.sockets(of: "api", [Self.address]).first)
        #expect(store.said == ["hold \(socket.descriptor) wsd-program-api%3a127.0.0.1%3a0"])
        let copy = dup(socket.descriptor)
        sockets.closeAll()
        #expect(isListening(copy))

        var next = ProgramSockets(former: [inherited(copy, "api", socket)], store: store.store)
        #expect(next.adopt(for: [definition("api")]) == [Self.address])
        #expect(try next.sockets(of: "api", [Self.address]).map(\.descriptor) == [copy])
        #expect(fcntl(copy, F_GETFL) & O_NONBLOCK == 0)
        #expect(store.said.count == 1, "it is held already")
        // The service manager's copy, which it closes later.
        let late = dup(copy)
        defer { close(late) }
        next.close("api")
        #expect(store.said.last == "release wsd-program-api%3a127.0.0.1%3a0")
        #expect(!isListening(late))
        let again = try #require(try ListeningSocket.bind(socket.address).first)
        again.close()
    }

    @Test func ofProgramsThatAreNotToRunAreGivenUp() throws {
        let store = Told()
        let socket = try #require(try ListeningSocket.bind(Self.address).first)
        let former = [inherited(socket.descriptor, "api", socket)]
        var sockets = ProgramSockets(former: former, store: store.store)
        let kept = sockets.adopt(for: [definition("api", isWanted: false), definition("other")])
        #expect(kept.isEmpty)
        #expect(store.said == ["release wsd-program-api%3a127.0.0.1%3a0"])
        let taken = try sockets.sockets(of: "other", [socket.address])
        #expect(taken.map(\.address) == [socket.address])
        sockets.close("other")
    }

    @Test func sayWhoListensThereAlready() throws {
        var sockets = ProgramSockets()
        let taken = try #require(try sockets.sockets(of: "api", [Self.address]).first).address
        let error = #expect(throws: ProgramSystemError.self) { try sockets.sockets(of: "other", [taken]) }
        #expect(error?.description.contains("listens on \(taken) already") == true)
        sockets.closeAll()
    }

    private final class Told {
        var said: [String] = []
        var store: ProgramSockets.Store {
            ProgramSockets.Store(
                hold: { self.said.append("hold \($0) \($1)") }, release: { self.said.append("release \($0)") })
        }
    }

    private func isListening(_ descriptor: CInt) -> Bool {
        var (value, size) = (CInt(0), socklen_t(MemoryLayout<CInt>.size))
        return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0
    }

    private func inherited(
        _ descriptor: CInt, _ program: String, _ socket: ListeningSocket
    ) -> SystemdSockets.Inherited {
        SystemdSockets.Inherited(
            socket: ListeningSocket(descriptor: descriptor, address: socket.address),
            name: StoredSockets.name(of: Self.address, program: program) ?? "")
    }

    private func definition(_ name: String, isWanted: Bool = true) -> ProgramDefinition {
        var configuration = ProgramConfiguration()
        configuration.name = name
        configuration.listen = [Self.address]
        return ProgramDefinition(configuration: configuration, origin: .file, isWanted: isWanted)
    }
}
