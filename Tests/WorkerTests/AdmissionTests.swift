import Authentication
import Logging
import Model
import NIOCore
import NIOEmbedded
import Testing
import Webhooks

@testable import Worker

@Suite struct AdmissionTests {
    /// A connection that notes what it is told.
    final class Connection: AdmissionConnection {
        var told: [String] = []

        func admitted(_ identity: ClientIdentity, isAuthenticated: Bool) {
            told.append("admitted \(identity.user?.text ?? "-") \(isAuthenticated)")
        }

        func authenticated(_ identity: ClientIdentity, isRefresh: Bool) {
            told.append("authenticated \(identity.user?.text ?? "-") \(isRefresh)")
        }

        func authenticationRefused(_ refusal: ClientRefusal) { told.append("refused \(refusal.code.rawValue)") }

        func identityExpiring(in time: Duration) { told.append("expiring \(Int(time.inSeconds))") }

        func rejected(_ code: CloseCode, reason: String) { told.append("rejected \(code.rawValue)") }
    }

    /// An admission with a clock, a hub and an application of its own.
    final class World {
        let loop = EmbeddedEventLoop()
        var now = MonotonicTime(nanoseconds: 1_000_000_000_000)
        var registered: [String] = []
        var isHubFull = false
        var hooks: [(WebhookConnect, (WebhookOutcome) -> Void)] = []
        private(set) var admission: Admission!

        /// Tokens name their users; `x` is none, `old` has expired.
        init(webhook: Bool = false, _ change: (inout WsdConfiguration) -> Void = { _ in }) {
            var configuration = WsdConfiguration()
            configuration.auth.secretFile = "/nowhere"
            change(&configuration)
            var environment = Admission.Environment(
                now: { self.now }, wallTime: { self.now.nanoseconds > 0 ? Double(self.now.nanoseconds) / 1e9 : 0 },
                verifier: nil, webhooks: nil, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                register: { client, request, wantsReply in
                    guard !self.isHubFull else { return false }
                    let (name, user): (String, UserName?) =
                        switch request {
                        case .connect(let registration): ("connect", registration.user)
                        case .identify(let registration): ("identify", registration.user)
                        default: ("?", nil)
                        }
                    self.registered.append("\(name) \(client) \(user?.text ?? "-") \(wantsReply)")
                    return true
                })
            environment.check = { token, now in
                switch token {
                case "x": return .failure(.wrongSignature)
                case "old": return .failure(.expired)
                default:
                    var identity = ClientIdentity(user: UserName(token))
                    if token.hasPrefix("short") { identity.expiresAt = now + 100 }
                    return .success(identity)
                }
            }
            if webhook { environment.askWebhook = { self.hooks.append(($0, $1)) } }
            admission = Admission(configuration: configuration, eventLoop: loop, environment: environment)
        }

        func begin(_ serial: UInt64 = 1, token: String? = nil) -> Connection {
            let connection = Connection()
            var credentials = HandshakeCredentials()
            credentials.token = token
            admission.begin(
                AdmissionRequest(
                    connection: connection, client: ClientID(boot: BootID(rawValue: 7), serial: serial),
                    session: SessionID(rawValue: 1), dialect: "simple", address: "192.0.2.1", addressKey: "192.0.2.1",
                    path: "/ws", credentials: credentials))
            loop.run()
            return connection
        }

        func advance(_ seconds: Int) {
            for _ in 0..<(seconds * 4) {
                now += .milliseconds(250)
                admission.tick()
                loop.run()
            }
        }
    }

    @Test func decidesAtOnceWhereItCan() {
        let world = World()
        #expect(world.begin().told == ["admitted - false"])
        #expect(world.registered == ["connect 1 - false"])
    }

    @Test func checksATokenOnTheLoop() {
        let world = World()
        #expect(world.begin(token: "ada").told == ["admitted ada true"])
        #expect(world.registered == ["connect 1 ada false"])
        #expect(world.begin(2, token: "x").told == ["rejected 4001"])
        #expect(world.begin(3, token: "old").told == ["rejected 4002"])
        #expect(world.admission.refusals[.token] == 1 && world.admission.refusals[.tokenExpired] == 1)
        #expect(world.admission.refusals.named.map(\.name) == ["token", "token_expired"])
        #expect(world.admission.count == 1)
    }

    @Test func whoHasGoneIsToldNothing() {
        let world = World(webhook: true) { $0.limits.connections = 5 }
        let connection = world.begin(token: "ada")
        #expect(world.hooks.count == 1)
        world.admission.connectionGone(1)
        world.hooks[0].1(.answered(WebhookAnswer()))
        world.admission.hubReplied(.admitted, serial: 1)
        world.admission.authenticate(token: "ada", serial: 1)
        world.advance(20)
        #expect(connection.told.isEmpty && world.registered.isEmpty && world.admission.count == 0)
    }

    @Test func goesThroughAllSteps() {
        let world = World(webhook: true) { $0.limits.connectionsPerUser = 5 }
        let connection = world.begin(token: "ada")
        #expect(world.hooks[0].0.user == UserName("ada") && world.hooks[0].0.token == nil)
        var answer = WebhookAnswer()
        answer.user = UserName("lovelace")
        world.hooks[0].1(.answered(answer))
        #expect(world.registered == ["connect 1 lovelace true"] && connection.told.isEmpty)
        world.admission.hubReplied(.admitted, serial: 1)
        #expect(connection.told == ["admitted lovelace true"])
    }

    @Test func aHubThatIsAwayDoesNotHoldAnybodyUp() {
        let world = World { $0.limits.connections = 5 }
        let connection = world.begin()
        #expect(connection.told.isEmpty)
        world.advance(2)
        #expect(connection.told == ["admitted - false"])
        world.isHubFull = true
        #expect(world.begin(2).told == ["admitted - false"])
        world.admission.hubReplied(.rejected(.tooManyConnections, reason: "late"), serial: 1)
        #expect(connection.told == ["admitted - false", "rejected 4006"])
        #expect(world.admission.refusals[.connectionLimit] == 1)
    }

    @Test func aHubThatIsAwayMayKeepEverybodyOut() {
        let world = World {
            $0.limits.connections = 5
            $0.limits.whenHubAway = .refuse
        }
        world.isHubFull = true
        #expect(world.begin().told == ["rejected 4006"])
        #expect(world.admission.refusals[.hubAway] == 1)
    }

    @Test func anIdentityThatEndsIsWatched() {
        let world = World { $0.auth.required = true }
        let connection = world.begin()
        world.admission.authenticate(token: "short", serial: 1)
        world.loop.run()
        #expect(connection.told == ["admitted - false", "authenticated short false"])
        world.advance(91)
        #expect(connection.told.last == "expiring 9")
        world.admission.authenticate(token: "other", serial: 1)
        world.loop.run()
        #expect(connection.told.last == "refused forbidden")
        world.admission.authenticate(token: "short", serial: 1)
        world.loop.run()
        #expect(connection.told.last == "authenticated short true")
        world.advance(101)
        #expect(connection.told.last?.hasPrefix("expiring") == true)
        world.advance(30)
        #expect(connection.told.last == "rejected 4002" && world.admission.count == 0)
    }

    @Test func whoStaysSilentIsClosed() {
        let world = World { $0.auth.required = true }
        let connection = world.begin()
        world.advance(9)
        #expect(connection.told == ["admitted - false"])
        world.advance(2)
        #expect(connection.told.last == "rejected 4001")
        #expect(world.admission.refusals[.authenticationTimeout] == 1)
    }
}
