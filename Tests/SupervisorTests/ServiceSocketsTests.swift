import LinuxSystem
import Model
import Testing

@testable import Supervisor

@Suite struct ServiceSocketsTests {
    @Test func anAddressThatIsBeingGivenUpIsTriedAgain() throws {
        let former = try Self.held()
        var pauses = 0
        let bound = try ServiceSockets.bind([former.address], patience: .seconds(60)) {
            pauses += 1
            if pauses == 2 { former.close() }
        }
        #expect(pauses == 2)
        let sockets = try #require(bound[former.address])
        #expect(sockets.map(\.address) == [former.address])
        for socket in sockets { socket.close() }
    }

    @Test func withoutPatienceItIsAnErrorAtOnce() throws {
        let former = try Self.held()
        defer { former.close() }
        let failure = #expect(throws: StartFailure.self) {
            try ServiceSockets.bind([former.address], patience: .zero) { Issue.record("waited") }
        }
        #expect(failure?.message.contains("listens there already") == true)
    }

    private static func held() throws -> ListeningSocket {
        try #require(try ListeningSocket.bind(.tcp(host: "127.0.0.1", port: 0)).first)
    }
}
