import Glibc
import Model
import NIOCore
import NIOEmbedded
import NIOSSL
import Testing
import WebSocketProtocol
import Wire

@testable import Worker

@Suite struct TLSTests {
    private func world(
        _ folder: TLSFolder = TLSFolder(), clients: ClientCertificates = .none, proxies: [String] = [],
        _ change: (inout WsdConfiguration) -> Void = { _ in }
    ) throws -> WorkerHarness {
        folder.configuration.clientCertificates = clients
        let pair = try TLSPair.load(folder.configuration)
        return WorkerHarness(tls: pair, listeners: [.tcp(host: nil, port: 8443)]) {
            $0.tls = folder.configuration
            $0.http.trustedProxies = proxies
            $0.limits.proxyProtocol = !proxies.isEmpty
            change(&$0)
        }
    }

    @Test func aHandshakeThenAnUpgrade() throws {
        let worker = try world()
        let client = try TLSClient(worker)
        try client.pump()
        #expect(worker.engine.tls?.handshakes == 1 && worker.engine.openSockets == 1)
        try client.send(worker.request())
        let text = String(buffer: try client.received())
        #expect(text.hasPrefix("HTTP/1.1 101 ") && text.contains(#""type":"connected""#))
        let handler = try worker.handler(client.serverChannel)
        #expect(handler.info.isSecure && handler.info.certificate == nil && handler.descriptor == -1)
        // A close frame, and close_notify behind it: the client's side ends cleanly.
        #expect(handler.close(.goingAway, reason: "test"))
        #expect(Frames.read(try client.received()) == ["<close 1001 test>"])
        try client.send(Frames.close(1001))
        _ = try client.received()
        #expect(!client.serverChannel.isActive && worker.engine.openSockets == 0)
    }

    @Test func pagesOfPlainHTTPAreNotOfTheSameHost() throws {
        let rule = OriginRule(
            {
                var configuration = WsdConfiguration()
                configuration.limits.origins = ["same-host"]
                return configuration
            }())
        func allows(_ origin: String, isSecure: Bool) -> Bool {
            rule.allows(origin, host: "a.example", forwardedHost: nil, peer: nil, isSecure: isSecure)
        }
        #expect(allows("https://a.example", isSecure: true) && allows("http://a.example", isSecure: false))
        #expect(!allows("http://a.example", isSecure: true) && !allows("https://b.example", isSecure: true))
    }

    @Test(arguments: [TLSVersion.tlsv12, .tlsv13])
    func whatTheCertificateSays(_ version: TLSVersion) throws {
        let worker = try world(clients: .required)
        let client = try TLSClient(worker, showsCertificate: true, version: version)
        try client.send(worker.request())
        #expect(String(buffer: try client.received()).hasPrefix("HTTP/1.1 101 "))
        let shown = try worker.handler(client.serverChannel).info.certificate
        #expect(shown == ClientCertificate(subject: "CN=alice,O=Example\\, Inc.", sha256: TestPair.sha256))
    }

    @Test func withoutTheCertificateThatIsRequired() throws {
        let worker = try world(clients: .required)
        let client = try TLSClient(worker, version: .tlsv12)
        #expect(throws: (any Error).self) { try client.pump() }
        worker.loop.run()
        #expect(worker.engine.tls?.failures == [.clientCertificate: 1])
        #expect(!client.serverChannel.isActive && worker.engine.openSockets == 0)
    }

    @Test func theOldVersionsAreRefused() throws {
        let worker = try world()
        let client = try TLSClient(worker, version: .tlsv11)
        #expect(throws: (any Error).self) { try client.pump() }
        worker.loop.run()
        #expect(worker.engine.tls?.failures == [.version: 1] && worker.engine.openSockets == 0)
    }

    @Test func plainHTTPIsToldSo() throws {
        let worker = try world()
        let channel = try worker.accept(.tls)
        try channel.writeInbound(worker.request())
        worker.loop.run()
        let text = try channel.writes().map { String(buffer: $0) }.joined()
        #expect(text.hasPrefix("HTTP/1.1 400 ") && text.contains("https://"))
        #expect(worker.engine.tls?.failures == [.plain: 1] && !channel.isActive)
    }

    @Test(arguments: [[0], [0x80, 0x2E, 1], [0xFF], Array("get / ".utf8)] as [[UInt8]])
    func whatIsNoTLSIsClosed(_ bytes: [UInt8]) throws {
        let worker = try world()
        let channel = try worker.accept(.tls)
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        worker.loop.run()
        #expect(try channel.writes().isEmpty && !channel.isActive)
        #expect(worker.engine.tls?.failures == [.invalid: 1] && worker.engine.openSockets == 0)
    }

    @Test func aSlowHandshakeIsCut() throws {
        let worker = try world()
        let (silent, slow) = (try worker.accept(.tls), try worker.accept(.tls))
        try slow.writeInbound(ByteBuffer(bytes: [0x16, 3, 1, 0, 200]))
        worker.advance(.milliseconds(9_500))
        #expect(silent.isActive && slow.isActive)
        worker.advance(.milliseconds(1_000))
        #expect(!silent.isActive && !slow.isActive && worker.engine.openSockets == 0)
        #expect(worker.engine.tls?.failures == [.timeout: 1])
    }

    @Test func theProxySpeaksBeforeTLS() throws {
        let worker = try world(proxies: ["192.0.2.0/24"])
        let client = try TLSClient(worker)
        try client.serverChannel.writeInbound(ByteBuffer(string: ProxyGateTests.line))
        try client.send(worker.request())
        #expect(String(buffer: try client.received()).hasPrefix("HTTP/1.1 101 "))
        #expect(try worker.handler(client.serverChannel).info.address == "203.0.113.9")
    }

    @Test func garbageAfterTheHandshakeEndsTheConnection() throws {
        let worker = try world()
        let client = try TLSClient(worker)
        try client.send(worker.request())
        _ = try client.received()
        #expect(throws: (any Error).self) {
            try client.serverChannel.writeInbound(
                ByteBuffer(bytes: [0x17, 3, 3, 0, 20] + [UInt8](repeating: 7, count: 20)))
            worker.loop.run()
            try client.serverChannel.throwIfErrorCaught()
            if !client.serverChannel.isActive { throw ChannelError.eof }
        }
        worker.loop.run()
        #expect(!client.serverChannel.isActive && worker.engine.openSockets == 0)
    }
}

@Suite struct TLSPairTests {
    private func problem(_ certificate: String, _ key: String, _ clients: ClientCertificates = .none) -> String? {
        let folder = TLSFolder(certificate: certificate, key: key)
        folder.configuration.clientCertificates = clients
        do throws(TLSPairError) {
            _ = try TLSPair.load(folder.configuration)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func whatFitsAndWhatDoesNot() throws {
        #expect(problem(TestPair.certificate, TestPair.key) == nil)
        #expect(problem(TestPair.certificate, TestPair.key, .required) == nil)
        #expect(problem(TestPair.certificate, TestPair.otherKey)?.contains("is not the key of the first") == true)
        #expect(problem("", TestPair.key)?.contains("holds no certificate in PEM form") == true)
        #expect(problem(TestPair.certificate, TestPair.certificate)?.contains("holds no private key") == true)
        #expect(
            problem(TestPair.certificate, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n")?.contains("passphrase") == true)
        let folder = TLSFolder()
        unlink(folder.path + "/key.pem")
        #expect(throws: TLSPairError.self) { try TLSPair.load(folder.configuration) }
    }

    @Test func aReplacedFileIsAnother() {
        let folder = TLSFolder()
        let readable = TLSFileStamps(folder.configuration)
        #expect(readable == TLSFileStamps(folder.configuration))
        // So is one that could not be read before.
        var before = readable
        // The clock of files ticks every few milliseconds.
        for _ in 0..<1_000_000 where before == readable {
            chmod(folder.path + "/key.pem", 0o640)
            before = TLSFileStamps(folder.configuration)
        }
        #expect(readable != before)
        folder.put(TestPair.otherKey, "other.pem")
        rename(folder.path + "/other.pem", folder.path + "/key.pem")
        #expect(before != TLSFileStamps(folder.configuration))
        unlink(folder.path + "/key.pem")
        #expect(before != TLSFileStamps(folder.configuration))
    }

    @Test func twoFilesOfARenewalAreWaitedFor() {
        let folder = TLSFolder()
        let old = TLSFileStamps(folder.configuration)
        var watch = TLSFileWatch(old)
        #expect(!watch.isNew(old))
        folder.put(TestPair.certificate + "\n", "cert.pem")
        let between = TLSFileStamps(folder.configuration)
        #expect(watch.isNew(between) && watch.failed(between) == .lookAgain && watch.isNew(between))
        folder.put(TestPair.key + "\n", "key.pem")
        let new = TLSFileStamps(folder.configuration)
        #expect(watch.isNew(new))
        watch.loaded(new)
        #expect(!watch.isNew(new))
        // What stays wrong is said once.
        #expect(watch.failed(old) == .lookAgain && watch.failed(old) == .refuse && !watch.isNew(old))
    }

    @Test func theTimeThatIsLeft() {
        let day = 86_400
        func warning(_ left: Int) -> String? {
            TLSExpiry.warning(notBefore: 5, notAfter: 100 * day + left, now: 100 * day)
        }
        #expect(warning(14 * day) == nil)
        #expect(warning(14 * day - 1) == "The TLS certificate expires in 13 days")
        #expect(warning(day) == "The TLS certificate expires in 1 day")
        #expect(warning(5) == "The TLS certificate expires in less than a day")
        #expect(warning(0) == "The TLS certificate has expired today")
        #expect(warning(-3 * day) == "The TLS certificate has expired 3 days ago")
        #expect(TLSExpiry.warning(notBefore: 9, notAfter: 10, now: 8) == "The TLS certificate is not valid yet")
    }
}

@Suite struct RedirectTests {
    private func answer(
        _ target: String = "/", host: String? = "a.example", port: UInt16? = 443, publicURL: String? = nil,
        more: [WebSocketProtocol.HTTPField] = []
    ) -> RedirectAnswer {
        var configuration = WsdConfiguration()
        configuration.http.publicURL = publicURL
        let fields = (host.map { [HTTPField("Host", $0)] } ?? []) + more
        let head = RequestHead(method: "GET", target: target, minorVersion: 1, fields: fields)
        return .to(head, configuration, port: port, notReady: "The hub is away.")
    }

    @Test(arguments: [
        ("/a?b=c", "a.example", 443, "https://a.example/a?b=c"), ("/", "a.example:80", 8443, "https://a.example:8443/"),
        ("/", "[::1]:80", 443, "https://[::1]/"), ("/", "[::1]", 443, "https://[::1]/"),
        ("*", "a.example", 443, "https://a.example/"), ("http://b.example/x", "a.example", 443, "https://a.example/x"),
        ("/\u{fffd}\r\nX: y", "a.example", 443, "https://a.example/%EF%BF%BD%0D%0AX:%20y"),
    ])
    func sendsOn(_ target: String, _ host: String, _ port: UInt16, _ location: String) {
        let reply = answer(target, host: host, port: port)
        #expect(reply.status == "308 Permanent Redirect" && reply.location == location && !reply.isRefusal)
    }

    @Test func whatElseIsAnswered() {
        #expect(answer("/x", publicURL: "wss://b.example/base").location == "https://b.example/base/x")
        #expect(answer("/healthz").status == "200 OK")
        #expect(answer("/readyz").text == "The hub is away.")
        #expect(answer(port: nil).status.hasPrefix("503 "))
        for host in [nil, "", "a b", "a/b", ":80", "\"x"] { #expect(answer(host: host).status == "400 Bad Request") }
        let twice = answer(more: [HTTPField("Host", "b.example")])
        #expect(twice.status == "400 Bad Request" && twice.location == nil)
    }

    @Test func aWebSocketIsToldWhere() throws {
        let worker = WorkerHarness { $0.tls.certificate = "/x" }
        let channel = try worker.accept(.redirect)
        try channel.writeInbound(worker.request())
        worker.loop.run()
        let text = try channel.writes().map { String(buffer: $0) }.joined()
        #expect(text.hasPrefix("HTTP/1.1 503 ") && !channel.isActive && worker.engine.openSockets == 0)
    }

    @Test func whichDescriptorIsWhat() {
        var child = ChildConfiguration(
            slot: .worker(1), instance: InstanceID(rawValue: 1), configuration: WsdConfiguration(), hubSocket: "/x",
            listeners: [.unix(path: "/a"), .tcp(host: nil, port: 443)], serviceStartedAt: 0)
        #expect(ListenerKind.all(child) == [.plain, .plain] && child.securePort == nil)
        child.configuration.tls.certificate = "/c"
        child.redirects = [.tcp(host: nil, port: 80)]
        #expect(ListenerKind.all(child) == [.plain, .tls, .redirect] && child.securePort == 443)
    }
}
