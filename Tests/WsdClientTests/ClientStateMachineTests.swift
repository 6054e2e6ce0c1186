import Model
import NIOCore
import Testing

@testable import WsdClient

/// A client's machine with the server's part played by literal texts.
struct Rehearsal {
    var machine: ClientStateMachine
    var now = MonotonicTime.zero
    var sent: [String] = []
    var events: [String] = []
    var completed: [UInt64: Result<String, WsdClientError>] = [:]
    var connects = 0

    init(_ change: (inout WsdClientConfiguration) -> Void = { _ in }) {
        var configuration = WsdClientConfiguration(url: "ws://127.0.0.1:1/ws")
        change(&configuration)
        machine = ClientStateMachine(configuration: configuration, seed: 1, now: .zero)
    }

    mutating func run(_ body: (inout ClientStateMachine, MonotonicTime, inout [ClientStateMachine.Action]) -> Void) {
        var actions: [ClientStateMachine.Action] = []
        body(&machine, now, &actions)
        for action in actions {
            switch action {
            case .send(let text): sent.append(text)
            case .connect: connects += 1
            case .fetchToken: events.append("token?")
            case .disconnect: events.append("cut")
            case .complete(let id, let result): completed[id] = result
            case .emit(let event): events.append(Self.name(event))
            }
        }
    }

    static func name(_ event: WsdEvent) -> String {
        switch event {
        case .connected: "connected"
        case .disconnected: "disconnected"
        case .stopped(let code, _): "stopped \(code.map(String.init) ?? "-")"
        case .message(let message): "message \(message.offset) \(message.data)"
        case .joined(let join): "joined \(join.room) \(join.recovered.map(String.init) ?? "first")"
        case .joinFailed(let room, _): "refused \(room)"
        case .left(let room): "left \(room)"
        case .gap(let room, _): "gap \(room)"
        case .other(let type, _): type
        }
    }

    mutating func hear(_ json: String) {
        let messages = Array(json.utf8).withUnsafeBytes(ServerMessage.parse)
        #expect(messages != nil)
        for message in messages ?? [] { run { $0.received(message, now: $1, actions: &$2) } }
    }

    mutating func wait(_ time: Duration) {
        now += time
        run { $0.timeElapsed(now: $1, actions: &$2) }
    }

    mutating func open(session: String = "s1") {
        wait(.zero)
        hear(#"{"type":"connected","client":"c-1","session":"\#(session)","server":{"pingInterval":25000}}"#)
    }

    mutating func breakOff(code: UInt16? = nil) {
        run { $0.disconnected(code: code, reason: "", now: $1, actions: &$2) }
    }

    mutating func reopen(session: String) {
        wait(.seconds(21))
        open(session: session)
    }
}

@Suite struct ClientStateMachineTests {
    @Test func roomsAreJoinedAgainWhereTheyWereLeftOff() {
        var client = Rehearsal()
        client.run { $0.join(room: "a", since: nil, now: $1, actions: &$2) }
        #expect(client.sent.isEmpty)
        client.open()
        #expect(client.sent == [#"{"requestId":1,"type":"join","room":"a"}"#])
        client.hear(#"{"type":"reply","requestId":1,"data":{"room":"a","epoch":"e","offset":4,"members":1}}"#)
        client.hear(#"[{"type":"message","room":"a","epoch":"e","offset":5,"data":1}]"#)
        client.breakOff()
        client.reopen(session: "s2")
        #expect(
            client.sent.last
                == #"{"requestId":2,"type":"join","room":"a","since":{"epoch":"e","offset":5},"session":"s1"}"#)
        client.hear(
            #"{"type":"reply","requestId":2,"data":{"room":"a","epoch":"e","offset":7,"recovered":true,"members":1}}"#)
        // Missed ones follow the reply; one seen before is dropped.
        client.hear(
            #"""
            [{"type":"message","room":"a","epoch":"e","offset":5,"data":1},
             {"type":"message","room":"a","epoch":"e","offset":6,"data":2},
             {"type":"message","room":"a","epoch":"e","offset":7,"data":3}]
            """#)
        #expect(
            client.events == [
                "connected", "joined a first", "message 5 1", "disconnected", "connected", "joined a true",
                "message 6 2",
                "message 7 3",
            ])
        #expect(client.machine.statistics.repeated == 1 && client.machine.statistics.skipped == 0)
    }

    @Test func whatCannotBeRecoveredBeginsAnew() {
        var client = Rehearsal()
        client.run { $0.join(room: "a", since: ("e", 5), now: $1, actions: &$2) }
        client.open()
        #expect(client.sent.last == #"{"requestId":1,"type":"join","room":"a","since":{"epoch":"e","offset":5}}"#)
        client.hear(
            #"{"type":"reply","requestId":1,"data":{"room":"a","epoch":"f","offset":2,"recovered":false,"reason":"epoch_changed"}}"#
        )
        client.hear(#"{"type":"message","room":"a","epoch":"f","offset":3,"data":0}"#)
        #expect(client.events == ["connected", "joined a false", "message 3 0"])
        #expect(client.machine.statistics.notRecovered == 1)
    }

    @Test func aPublicationIsSentAgainWithTheSameName() throws {
        var client = Rehearsal()
        client.open()
        client.run { _ = $0.publish(room: "a", data: "[1]", now: $1, actions: &$2) }
        let first = try #require(client.sent.last)
        client.breakOff(code: 1012)
        client.reopen(session: "s2")
        #expect(client.sent.last == first)
        client.hear(#"{"type":"reply","requestId":1,"error":{"code":"unavailable","message":"","temporary":true}}"#)
        #expect(client.completed.isEmpty)
        client.wait(.milliseconds(150))
        #expect(client.sent.last == first && client.sent.count == 3)
        client.hear(#"{"type":"reply","requestId":1,"data":{"room":"a","offset":9,"epoch":"e","duplicate":true}}"#)
        #expect(try client.completed[1]?.get().contains("9") == true)
    }

    @Test func requestsEndAtTheirDeadline() {
        var client = Rehearsal { $0.requestTimeout = .seconds(3) }
        client.run { _ = $0.request(#""type":"ping""#, now: $1, actions: &$2) }
        client.wait(.seconds(2))
        #expect(client.completed.isEmpty)
        client.wait(.seconds(1))
        #expect(client.completed[1] == .failure(.timedOut))
    }

    @Test(arguments: [4001, 4003, 4004, 4005, 1000, 1002, 1008] as [UInt16])
    func terminalCodesStop(code: UInt16) {
        var client = Rehearsal()
        client.open()
        client.run { _ = $0.request(#""type":"ping""#, now: $1, actions: &$2) }
        client.breakOff(code: code)
        client.wait(.seconds(100))
        #expect(client.connects == 1 && client.events.last == "stopped \(code)")
        #expect(client.completed[1] == .failure(.stopped(reason: "")))
    }

    @Test(arguments: [1001, 1011, 1012, 1013, 4000, 4002, 4006, 4007, 4008] as [UInt16])
    func otherCodesReconnect(code: UInt16) {
        var client = Rehearsal()
        client.open()
        client.breakOff(code: code)
        client.wait(.seconds(21))
        #expect(client.connects == 2)
    }

    @Test func theServersHintIsObeyed() {
        var client = Rehearsal()
        client.open()
        client.hear(#"{"type":"reconnect","after":7000,"code":1012}"#)
        client.breakOff(code: 1012)
        client.wait(.milliseconds(6900))
        #expect(client.connects == 1)
        client.wait(.milliseconds(100))
        #expect(client.connects == 2)
    }

    @Test func waitsGrowAndStayBelowTheirBound() {
        var client = Rehearsal()
        var longest = Duration.zero
        for _ in 0..<50 {
            let before = client.connects
            var waited = Duration.zero
            client.wait(.zero)
            while client.connects == before, waited < .seconds(30) {
                client.wait(.milliseconds(100))
                waited += .milliseconds(100)
            }
            longest = max(longest, waited)
            client.breakOff()
        }
        #expect(longest > .seconds(5) && longest <= .seconds(21))
    }

    @Test func silenceEndsTheTransport() {
        var client = Rehearsal()
        client.open()
        client.run { machine, now, _ in machine.heard(now: now) }
        client.wait(.seconds(39))
        #expect(!client.events.contains("cut"))
        client.wait(.seconds(2))
        #expect(client.events.last == "cut")
    }

    @Test func aTokenIsFetchedBeforeAnythingIsAsked() {
        var client = Rehearsal { $0.token = { "t" } }
        client.run { $0.join(room: "a", since: nil, now: $1, actions: &$2) }
        client.wait(.zero)
        client.hear(#"{"type":"connected","client":"c","session":"s","user":null}"#)
        #expect(client.events == ["token?"] && client.sent.isEmpty)
        client.run { $0.tokenFetched("a\"b", now: $1, actions: &$2) }
        #expect(client.sent == [#"{"type":"auth","token":"a\"b"}"#])
        client.hear(#"{"type":"connected","client":"c","session":"s","user":"ada"}"#)
        #expect(client.sent.count == 2 && client.machine.isOpen)
        client.hear(#"{"type":"expiring","expiresIn":30}"#)
        #expect(client.events.last == "token?")
    }

    @Test func refusedRoomsAreGivenUp() {
        var client = Rehearsal()
        client.run { $0.join(room: "a", since: nil, now: $1, actions: &$2) }
        client.open()
        client.hear(
            #"{"type":"reply","requestId":1,"error":{"code":"forbidden","message":"Not allowed","temporary":false}}"#)
        #expect(client.events.last == "refused a")
        client.breakOff()
        client.reopen(session: "s2")
        #expect(client.sent.count == 1)
    }

    @Test func noMoreWaitThanAllowed() {
        var client = Rehearsal { $0.maxPending = 3 }
        for _ in 0..<4 { client.run { _ = $0.request(#""type":"ping""#, now: $1, actions: &$2) } }
        #expect(client.completed == [4: .failure(.tooManyPending)])
    }
}

@Suite struct ServerAddressTests {
    @Test(arguments: [
        ("ws://localhost", "localhost", 80, "/ws"), ("ws://h:8080/", "h", 8080, "/"),
        ("ws://[::1]:9/ws?x=1#y", "::1", 9, "/ws?x=1"), ("ws://h?t=1", "h", 80, "/?t=1"),
    ])
    func parts(url: String, host: String, port: Int, target: String) throws {
        let address = try ServerAddress(url)
        #expect(address.host == host && address.port == port && address.target == target)
    }

    @Test(arguments: [
        "", "http://h", "wss://h", "ws://", "ws://h:x", "ws://h:99999", "ws://[::1", "ws://a b", "ws://h\r\nX: y",
    ])
    func others(url: String) {
        #expect(throws: WsdClientError.self) { try ServerAddress(url) }
    }
}

@Suite struct ServerMessageTests {
    @Test func damagedTextIsRefusedAndNeverTraps() {
        let sample = Array(
            #"[{"type":"message","room":"a","epoch":"e","offset":5,"data":{"x":[1,2]}},{"type":"reply","requestId":1,"error":{}}]"#
                .utf8)
        var generator = SplitMix64Generator(state: 7)
        for _ in 0..<3000 {
            var bytes = sample
            for _ in 0...(generator.next() % 3) {
                bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
            }
            _ = bytes.prefix(Int(generator.next() % UInt64(bytes.count + 1))).withUnsafeBytes(ServerMessage.parse)
        }
    }
}
