import Model
import Realtime
import Testing

/// What a new hub is told of clients on which the former one had not decided.
struct WorkerRegistrationTests {
    private func ask(_ fixture: inout WorkerFixture, _ client: UInt64, user: String? = nil, identifies: Bool = false) {
        let registration = WorkerFixture.registration(user: user)
        let outcome =
            identifies
            ? fixture.worker.identify(
                client, registration: registration, wantsReply: true, now: .zero, encode: { ($0, 50) })
            : fixture.worker.connect(
                client, member: client, registration: registration, wantsReply: true, now: .zero,
                encode: { ($0, 50) })
        #expect(outcome == .accepted)
    }

    /// Each client of the snapshot with its user.
    private func snapshot(_ fixture: WorkerFixture) -> [UInt64: String] {
        var clients: [UInt64: String] = [:]
        fixture.worker.forEachClient { clients[$0] = $1.user?.text ?? "" }
        return clients
    }

    @Test func whoWaitsForTheDecisionIsAskedAboutAgain() {
        var fixture = WorkerFixture(clients: 1...1)
        fixture.bringUp()
        ask(&fixture, 2)
        ask(&fixture, 3)
        let sequences = fixture.sent().map(\.sequence)
        _ = fixture.reply(.admitted, to: sequences[0])
        #expect(snapshot(fixture) == [1: "", 2: ""])
        fixture.worker.linkLost()
        _ = fixture.worker.beginLink()
        #expect(snapshot(fixture) == [1: "", 2: ""])
        #expect(fixture.sent().map(\.sequence).contains(sequences[1]))
        _ = fixture.reply(.rejected(.tooManyConnections, reason: ""), to: sequences[1])
        #expect(snapshot(fixture)[3] == nil)
        fixture.worker.disconnect(3, mayReturn: false, now: .zero, encode: { ($0, 30) })
        #expect(snapshot(fixture) == [1: "", 2: ""])
    }

    @Test func anIdentityCountsOnceItIsAccepted() {
        var fixture = WorkerFixture(clients: 1...1)
        fixture.bringUp()
        ask(&fixture, 1, user: "ada", identifies: true)
        let sequence = fixture.sent()[0].sequence
        #expect(snapshot(fixture) == [1: ""])
        _ = fixture.reply(.admitted, to: sequence)
        #expect(snapshot(fixture) == [1: "ada"])
    }

    @Test func admittedWithoutTheHubCounts() {
        var fixture = WorkerFixture(clients: 1...1)
        ask(&fixture, 2)
        #expect(snapshot(fixture) == [1: ""])
        fixture.worker.registrationHolds(2)
        #expect(snapshot(fixture) == [1: "", 2: ""])
    }

    @Test func aLostDecisionIsAskedForAgain() {
        var fixture = WorkerFixture(clients: 1...1)
        fixture.bringUp()
        ask(&fixture, 2)
        _ = fixture.sent()
        #expect(fixture.acknowledge().isEmpty)
        let again = fixture.sent()
        #expect(again.map(\.name) == ["connect"])
        #expect(again.allSatisfy { $0.wantsReply && $0.client == 2 } == true)
        #expect(fixture.reply(.admitted, to: again[0].sequence)?.request.client == 2)
        #expect(snapshot(fixture) == [1: "", 2: ""])
    }
}
