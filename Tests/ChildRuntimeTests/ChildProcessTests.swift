import Glibc
import LinuxSystem
import Model
import NIOCore
import NIOPosix
import Testing
import Wire

@testable import ChildRuntime

/// Over a real socketpair: the test is the supervisor.
struct ChildProcessTests {
    @Test func aChildSaysHelloReadyAndBeats() async throws {
        let bench = try Bench()
        try bench.send(.configure(Bench.configuration(level: .debug)))
        let process = try await bench.start()
        #expect(process.configuration == Bench.configuration(level: .debug))
        #expect(bench.log.level == .debug)
        let (version, link) = (WsdVersion.current, WsdVersion.link)
        #expect(try bench.receive() == .hello(pid: getpid(), version: version, link: link, boot: process.boot))

        try await bench.serve(process)
        process.ready()
        #expect(try bench.receive() == .ready)
        var counters = ChildCounters()
        counters.clients = 17
        #expect(try bench.receive() == .heartbeat(counters))
        await bench.stop()
    }

    @Test func theSupervisorsWordsArriveAlsoBeforeServing() async throws {
        let bench = try Bench()
        try bench.send(.configure(Bench.configuration()), .logLevel(.error), .lameDuck(true))
        try bench.send(.query(id: 4, .rooms(prefix: "a")))
        let process = try await bench.start()
        _ = try bench.receive()
        try await bench.serve(process)
        #expect(await bench.told.next() == "lameDuck true")
        #expect(await bench.told.next() == "query 4")
        #expect(bench.log.level == .error)
        process.reply(4, .rooms([RoomInfo(room: "ab", members: 2)]))
        #expect(try bench.receive() == .reply(id: 4, page: .rooms([RoomInfo(room: "ab", members: 2)]), more: false))

        try bench.send(.drain(code: .goingAway, spread: .seconds(2), deadline: .seconds(30)))
        #expect(await bench.told.next() == "drain 1001")
        process.send(.draining(remaining: 0))
        #expect(try bench.receive() == .draining(remaining: 0))
        process.finish()
        #expect(await bench.told.next() == "exit 0")
        await bench.stop()
    }

    @Test func aSupervisorThatIsGoneIsTold() async throws {
        let bench = try Bench()
        try bench.send(.configure(Bench.configuration()))
        let process = try await bench.start()
        bench.closeLink()
        try await bench.serve(process)
        #expect(await bench.told.next() == "linkClosed")
        await bench.stop()
    }

    @Test func aBrokenLineEndsTheLink() async throws {
        let bench = try Bench()
        try bench.send(.configure(Bench.configuration()))
        let process = try await bench.start()
        try await bench.serve(process)
        try bench.sendRaw("nonsense\n")
        #expect(await bench.told.next() == "linkClosed")
        _ = try bench.receive()
        #expect(throws: BenchError.self) { try bench.receive() }
        await bench.stop()
    }

    @Test(arguments: ["", "nonsense\n", "{\"lameDuck\":{\"_0\":true}}\n"])
    func withoutAConfigurationThereIsNoChild(line: String) async throws {
        let bench = try Bench()
        try bench.sendRaw(line)
        bench.finishSending()
        await #expect(throws: (any Error).self) { _ = try await bench.start() }
        await bench.stop()
    }

    @Test func aFailureIsToldBeforeTheEnd() async throws {
        let bench = try Bench()
        try bench.send(.configure(Bench.configuration()))
        let process = try await bench.start()
        _ = try bench.receive()
        process.fail("The hub's socket is not there.", exitCode: ExitCode.osError)
        #expect(try bench.receive() == .failed(reason: "The hub's socket is not there.", exitCode: 71))
        #expect(await bench.told.next() == "exit 71")
        await bench.stop()
    }

    @Test func aSupervisorThatDoesNotReadDoesNotKeepTheChildAlive() async throws {
        let bench = try Bench()
        try bench.send(.configure(Bench.configuration()))
        let process = try await bench.start()
        // More than the sockets hold.
        for _ in 0..<64 { process.send(.failed(reason: String(repeating: "x", count: 64 * 1024), exitCode: 0)) }
        process.finish(exitCode: 3)
        #expect(await bench.told.next() == "exit 3")
        await bench.stop()
    }
}

private struct BenchError: Error {}

/// A child on its loop and, at the other end of its link, the test.
private final class Bench {
    let log: ChildLogSink
    /// What the child was told, and its exit.
    let told: Told
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let link: Int32
    private let childsLink: Int32
    private let output: (read: Int32, write: Int32)
    private var isClosed = false
    private var decoder = ChildLinkDecoder<ChildMessage>()

    init() throws {
        (link, childsLink) = try Descriptors.socketPair()
        output = try Descriptors.pipe()
        log = ChildLogSink(descriptor: output.write)
        told = Told()
    }

    static func configuration(level: LogLevel = .info) -> ChildConfiguration {
        var configuration = WsdConfiguration()
        configuration.log.level = level
        return ChildConfiguration(
            slot: .worker(2), instance: InstanceID(rawValue: 5), configuration: configuration, hubSocket: "/hub",
            listeners: [],
            serviceStartedAt: 1
        )
    }

    func start() async throws -> ChildProcess {
        let told = told
        return try await ChildProcess.start(on: group.next(), link: childsLink, log: log) { told.tell("exit \($0)") }
            .get()
    }

    func serve(_ process: ChildProcess) async throws {
        let told = told
        try await process.eventLoop.submit {
            var counters = ChildCounters()
            counters.clients = 17
            process.serve(
                ChildHandlers(
                    counters: { counters },
                    drain: { code, _, _ in told.tell("drain \(code.rawValue)") },
                    lameDuck: { told.tell("lameDuck \($0)") },
                    query: { id, _ in told.tell("query \(id)") },
                    linkClosed: { told.tell("linkClosed") }
                )
            )
        }.get()
    }

    func send(_ messages: SupervisorMessage...) throws {
        for message in messages { try sendRaw(String(buffer: ChildLinkCodec.encode(message))) }
    }

    func sendRaw(_ text: String) throws {
        guard write(link, text, text.utf8.count) == text.utf8.count else { throw BenchError() }
    }

    func finishSending() {
        shutdown(link, Int32(SHUT_WR))
    }

    func closeLink() {
        isClosed = true
        Descriptors.close(link)
    }

    func receive() throws -> ChildMessage {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            if let message = try decoder.next() { return message }
            var entry = pollfd(fd: link, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 10_000) == 1 else { throw BenchError() }
            let count = read(link, &chunk, chunk.count)
            guard count > 0 else { throw BenchError() }
            decoder.append(ByteBuffer(bytes: chunk[..<count]))
        }
    }

    func stop() async {
        if !isClosed { Descriptors.close(link) }
        try? await group.shutdownGracefully()
        Descriptors.close(output.read)
        Descriptors.close(output.write)
    }
}

/// A queue from the child's loop to the test.
private final class Told: Sendable {
    private let stream: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream()
    }

    func tell(_ what: String) {
        continuation.yield(what)
    }

    func next() async -> String? {
        for await what in stream { return what }
        return nil
    }
}
