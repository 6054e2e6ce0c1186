import Glibc
import LinuxSystem
import Testing

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

    @Test func sayWhoListensThereAlready() throws {
        var sockets = ProgramSockets()
        let taken = try #require(try sockets.sockets(of: "api", [Self.address]).first).address
        let error = #expect(throws: ProgramSystemError.self) { try sockets.sockets(of: "other", [taken]) }
        #expect(error?.description.contains("listens on \(taken) already") == true)
        sockets.closeAll()
    }
}
