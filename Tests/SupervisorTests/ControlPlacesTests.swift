import Glibc
import Testing
import Wire

@testable import Supervisor

struct ControlPlacesTests {
    private let owner = ControlPeer(access: .full, uid: 0)

    private func other(_ uid: UInt32) -> ControlPeer { ControlPeer(access: .readOnly, uid: uid) }

    @Test func whoMayOnlyLookKeepsNobodyOut() {
        var places = ControlPlaces()
        for _ in 0..<ControlServer.maxOthersPerUser { #expect(places.take(for: other(1)) == .other(uid: 1)) }
        #expect(places.take(for: other(1)).refusal?.error.message.hasPrefix("You have 64 connections") == true)
        for uid in 2...4 {
            for _ in 0..<ControlServer.maxOthersPerUser { _ = places.take(for: other(UInt32(uid))) }
        }
        #expect(places.take(for: other(9)).refusal?.error.message.contains("all 256 connections") == true)
        for _ in 0..<(ControlServer.maxConnections - ControlServer.maxOthers) {
            #expect(places.take(for: owner) == .full)
        }
        #expect(places.take(for: owner).refusal?.error.message.hasPrefix("All 1024 connections") == true)
        places.leave(.other(uid: 1))
        #expect(places.take(for: owner) == .full)
    }

    @Test func refusalsAreFewAndGoodbyesCount() {
        var places = ControlPlaces()
        var taken: [ControlPlaces.Place] = []
        for _ in 0..<(ControlServer.maxOthersPerUser + ControlServer.maxRefused) {
            taken.append(places.take(for: other(1)))
        }
        #expect(places.take(for: other(1)) == .none)
        #expect(places.take(for: owner) == .full)
        for place in taken { places.leave(place) }
        #expect(places.take(for: other(1)) == .other(uid: 1))
    }

    @Test func theRefusalIsSaid() async throws {
        let service = try await TestService(access: .readOnly)
        let held = try (0..<ControlServer.maxOthersPerUser).map { _ in try HTTPExchange.open(service.socketPath) }
        let answer = try await service.request("GET", "/v1/version")
        #expect(answer.status == 503 && answer.body.contains("who may only look gets no more"))
        for descriptor in held { close(descriptor) }
        try await service.until("places again") { $0.server.connectionCount == 0 }
        #expect(try await service.request("GET", "/v1/version").status == 200)
        try await service.close()
    }
}
