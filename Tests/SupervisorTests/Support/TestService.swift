import Glibc
import LinuxSystem
import Logging
import NIOCore
import NIOPosix
import Supervision
import Testing
import Wire

@testable import ConfigurationFile
@testable import Model
@testable import Supervisor

/// A driver with fake children and, where asked for, a real control socket, on a loop of its own.
final class TestService: Sendable {
    struct Parts {
        let driver: FleetDriver
        let system: FakeChildSystem
        let programs: FakeProgramSystem
        let server: ControlServer
        let end: End
    }

    /// The status that the driver ends with, once.
    final class End {
        private var promise: EventLoopPromise<Int32>?

        init(_ promise: EventLoopPromise<Int32>) {
            self.promise = promise
        }

        func take(_ code: Int32) {
            promise?.succeed(code)
            promise = nil
        }
    }

    let group: MultiThreadedEventLoopGroup
    let parts: EventLoopConfined<Parts>
    let directory: String
    let socketPath: String
    let ended: EventLoopFuture<Int32>

    init(
        workers: Int = 2, access: ControlAccess = .full, reload: Result<WsdConfiguration, ConfigurationErrors>? = nil,
        reloadFindsFile: Bool = true, programs: [ProgramConfiguration] = [],
        adjust: @escaping @Sendable (FakeChildSystem) -> Void = { _ in },
        adjustPrograms: @escaping @Sendable (FakeProgramSystem) -> Void = { _ in }
    ) async throws {
        var template = Array("/tmp/wsd-test-XXXXXX".utf8CString)
        let made = mkdtemp(&template).map { String(cString: $0) }
        directory = try #require(made)
        socketPath = directory + "/control.sock"
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let eventLoop = group.next()
        let ended = eventLoop.makePromise(of: Int32.self)
        self.ended = ended.futureResult
        var configuration = WsdConfiguration()
        configuration.workers.count = workers
        configuration.restart.initialDelay = .milliseconds(1)
        configuration.programs = programs
        let (fixed, path) = (configuration, socketPath)
        let listener = try UnixListener.bind(path: path, mode: 0o600)
        parts = try await eventLoop.submit {
            let parts = Self.build(eventLoop, fixed, path, reload, reloadFindsFile, ended)
            adjust(parts.system)
            adjustPrograms(parts.programs)
            return EventLoopConfined(parts, eventLoop: eventLoop)
        }.get()
        try await parts.wait { parts in
            let started = parts.server.start(socket: listener.descriptor) { _ in ControlPeer(access: access) }
            parts.driver.start()
            return started
        }
    }

    private static func build(
        _ eventLoop: any EventLoop, _ configuration: WsdConfiguration, _ path: String,
        _ reload: Result<WsdConfiguration, ConfigurationErrors>?, _ reloadFindsFile: Bool,
        _ ended: EventLoopPromise<Int32>
    ) -> Parts {
        let end = End(ended)
        let log = LogCenter(eventLoop: eventLoop, configuration: configuration.log, format: .json, console: nil)
        let system = FakeChildSystem(eventLoop: eventLoop)
        let programs = FakeProgramSystem(eventLoop: eventLoop)
        let setup = FleetSetup(
            listeners: configuration.workers.areOff ? [] : [.tcp(host: "127.0.0.1", port: 8080)], controlSocket: path,
            hubSocket: "/nowhere/hub", underSystemd: false, cores: 2, seed: 1, startedAt: .now(), startedAtTime: 0,
            clock: MonotonicTime.now,
            load: { (reload ?? .success(configuration)).map { loaded($0, isFound: reloadFindsFile) } },
            ready: {}, ended: { end.take($0) })
        let driver = FleetDriver(
            eventLoop: eventLoop, setup: setup, configuration: loaded(configuration), log: log,
            logOutput: SupervisorLogOutput(level: .info) { _, _, _ in }, system: system,
            programs: ProgramsDriver(
                eventLoop: eventLoop, log: log, system: programs, cores: 2, seed: 1, clock: MonotonicTime.now))
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let api = ControlAPI(driver: EventLoopConfined(driver, eventLoop: eventLoop), logger: logger)
        return Parts(
            driver: driver, system: system, programs: programs,
            server: ControlServer(eventLoop: eventLoop, api: api, logger: logger),
            end: end)
    }

    private static func loaded(_ configuration: WsdConfiguration, isFound: Bool = true) -> LoadedConfiguration {
        let entries = [
            LoadedEntry(key: "mode", value: "dev", source: "default", reloadable: true, secret: false),
            LoadedEntry(key: "secret", value: "hidden", source: "wsd.yaml:3", reloadable: true, secret: true),
        ]
        return LoadedConfiguration(
            configuration: configuration, entries: entries, file: isFound ? "/etc/wsd/wsd.yaml" : nil, warnings: [])
    }

    /// Waits until `condition` holds on the loop: looked at after every turn that could change it.
    func until(_ what: String, _ condition: @escaping @Sendable (Parts) -> Bool) async throws {
        let deadline = MonotonicTime.now() + .seconds(10)
        while try await !parts.run(condition) {
            try #require(MonotonicTime.now() < deadline, "not within 10 s: \(what)")
            try await parts.eventLoop.scheduleTask(in: .milliseconds(2)) {}.futureResult.get()
        }
    }

    func untilReady() async throws {
        try await until("ready") { $0.driver.status().health == .ok }
    }

    /// One request over the control socket, the connection closed behind it.
    func request(_ method: String, _ target: String, body: String? = nil) async throws -> (status: Int, body: String) {
        let path = socketPath
        return try await HTTPExchange.threads.runIfActive { try HTTPExchange.run(path, method, target, body) }
    }

    func close() async throws {
        try await parts.run { $0.end.take(-1) }
        try await group.shutdownGracefully()
        for name in ["control.sock", "control.sock.lock"] { unlink(directory + "/" + name) }
        rmdir(directory)
    }
}

/// A plain blocking HTTP/1.1 exchange over a Unix socket.
enum HTTPExchange {
    /// For calls that block: more than all tests make at a time, so that none waits for another's answer.
    static let threads = {
        let pool = NIOThreadPool(numberOfThreads: 64)
        pool.start()
        return pool
    }()

    struct Failure: Error {
        var what: String
    }

    static func open(_ path: String) throws -> CInt {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) {
            $0.copyBytes(from: path.utf8CString.map { UInt8(bitPattern: $0) })
        }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw Failure(what: "connect: \(errno)") }
        return descriptor
    }

    static func run(_ path: String, _ method: String, _ target: String, _ body: String?) throws -> (
        status: Int, body: String
    ) {
        let descriptor = try open(path)
        defer { close(descriptor) }
        var request = "\(method) \(target) HTTP/1.1\r\nHost: wsd\r\nConnection: close\r\n"
        if let body { request += "Content-Length: \(body.utf8.count)\r\n" }
        request += "\r\n" + (body ?? "")
        var rest = Array(request.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            answer += buffer[..<count]
        }
        return try parse(answer)
    }

    private static func parse(_ bytes: [UInt8]) throws -> (status: Int, body: String) {
        let text = String(decoding: bytes, as: UTF8.self)
        let halves = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2, let status = halves[0].split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else {
            throw Failure(what: "not an answer: \(text)")
        }
        guard halves[0].lowercased().contains("transfer-encoding: chunked") else { return (status, String(halves[1])) }
        var body = ""
        var rest = Array(halves[1].utf8)[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\r")),
            let size = Int(String(decoding: rest[rest.startIndex..<end], as: UTF8.self), radix: 16), size > 0
        {
            rest = rest[(end + 2)...]
            body += String(decoding: rest.prefix(size), as: UTF8.self)
            rest = rest.dropFirst(size + 2)
        }
        return (status, body)
    }
}
