import FoundationEssentials
import HTTPTypes
import Model
import NIOCore
import Testing
import Wire

@testable import Supervisor

/// docs/openapi.yaml against the code.
struct OpenAPITests {
    /// Methods of each path of the document.
    private static func documented() throws -> [String: Set<String>] {
        var paths: [String: Set<String>] = [:]
        var path: String?
        for line in try projectFile("docs/openapi.yaml").split(separator: "\n") {
            if line.hasPrefix("components:") { break }
            if line.hasPrefix("  /"), line.hasSuffix(":") {
                let name = String(line.dropFirst(2).dropLast())
                path = name
                #expect(paths.updateValue([], forKey: name) == nil, "\(name) is there twice")
            } else if let path, ["    get:", "    post:", "    delete:"].contains(line) {
                paths[path, default: []].insert(line.dropFirst(4).dropLast().uppercased())
            }
        }
        return paths
    }

    @Test func controlCallsAreTheOnesThatAreServed() throws {
        let served = ControlRoutes.methods.mapValues { Set($0.map(\.rawValue)) }
        let documented = try Self.documented().filter { $0.key.hasPrefix("/v1/") || $0.key == "/metrics" }
        #expect(documented == served)
    }

    @Test func backendCallsAreTheOnesThatAreServed() throws {
        let documented = try Self.documented().filter { !$0.key.hasPrefix("/v1/") && $0.key != "/metrics" }
        #expect(documented.values.reduce(0) { $0 + $1.count } == 15)
        for (path, methods) in documented {
            let call = path.dropFirst().split(separator: "/").map { $0.hasPrefix("{") ? "3f0-1" : $0 }.joined(
                separator: "/")
            for method in ["GET", "POST", "DELETE"] {
                let result = BackendHTTP.decode(
                    method: method, path: call, query: nil, idempotencyKey: nil, body: ByteBuffer(string: "{}"),
                    maxRoomLength: 99)
                let code: BackendErrorCode? = if case .failure(let error) = result { error.code } else { nil }
                #expect(code != .notFound, "\(path)")
                #expect((code != .methodNotAllowed) == methods.contains(method), "\(method) \(path)")
            }
        }
    }

    private struct Keys: Decodable {
        struct Name: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        var names: Set<String>

        init(from decoder: any Decoder) throws {
            names = Set(try decoder.container(keyedBy: Name.self).allKeys.map(\.stringValue))
        }
    }

    private static func keys(_ value: some Encodable) throws -> Set<String> {
        try JSONDecoder().decode(Keys.self, from: try JSONEncoder().encode(value)).names
    }

    /// Properties of a schema.
    private static func properties(_ schema: String) throws -> Set<String> {
        let lines = try projectFile("docs/openapi.yaml").split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex(of: "    \(schema):"), "\(schema)")
        let body = lines[(start + 1)...].prefix { $0.hasPrefix("      ") }
        let list = body.drop { $0 != "      properties:" }.dropFirst().prefix { $0.hasPrefix("        ") }
        return Set(list.filter { !$0.hasPrefix("         ") }.map { String($0.dropFirst(8).prefix { $0 != ":" }) })
    }

    @Test func figuresAreAllDescribed() throws {
        var totals = ServiceTotals()
        (totals.averageSize, totals.commitMean, totals.compressionRatio, totals.decompressionRatio) = (1, 1, 1, 1)
        var histogram = LatencyHistogram()
        histogram.record(nanoseconds: 1)
        totals.latency = LatencySummary(histogram)
        var figures = WebhookFigures()
        figures.calls = 1
        var room = RoomInfo(room: "a", members: 1)
        (room.messages, room.bytes, room.epoch, room.offset) = (1, 1, "e", 1)
        var client = ClientInfo(
            id: "1-1", worker: 1, address: "a", user: "u", path: "/", origin: "o", userAgent: "a", dialect: "simple",
            rooms: [], connectedAt: 1, messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0, queue: 0)
        (client.sessionAge, client.authenticated, client.resumed, client.rateLimited) = (1, true, true, 1)
        (client.compressionRatio, client.averageSize) = (1, 1)
        client.certificate = ClientCertificate(subject: "CN=a", sha256: "0")
        var event = TraceEvent(time: 1, worker: 1, kind: .gap)
        (event.client, event.user, event.room, event.code) = ("c", "u", "r", "c")
        (event.detail, event.bytes, event.count, event.offset, event.payload) = ("d", 1, 1, 1, "1")
        #expect(try Self.keys(totals) == Self.properties("ServiceTotals"))
        let pressure = MemoryPressure(some: 1, full: 1, someSeconds: 1, fullSeconds: 1)
        let reading = MemoryReading(usage: 1, high: 1, max: 1, pressure: pressure)
        let memory = ServiceMemory(reading, events: MemoryEvents(), strainedAgo: 1)
        #expect(try Self.keys(memory) == Self.properties("ServiceMemory"))
        #expect(try Self.keys(MemoryEvents()) == Self.properties("MemoryEvents"))
        #expect(try Self.keys(pressure) == Self.properties("MemoryPressure"))
        #expect(try Self.keys(ChildCounters()) == Self.properties("ChildCounters"))
        #expect(try Self.keys(RouteFigures()) == Self.properties("RouteFigures"))
        #expect(try Self.keys(WebhookTotals(figures)) == Self.properties("WebhookTotals"))
        #expect(try Self.keys(totals.latency) == Self.properties("LatencySummary"))
        #expect(try Self.keys(room) == Self.properties("RoomInfo"))
        #expect(try Self.keys(client) == Self.properties("ClientInfo"))
        #expect(try Self.keys(event) == Self.properties("TraceEvent"))
        #expect(
            try Self.keys(TraceNotice(time: 1, notice: "n", worker: 1, dropped: 1, ended: true))
                == Self.properties("TraceNotice"))
    }

    @Test func programsAreAllDescribed() throws {
        var process = ProgramProcessStatus(name: "api:1", number: 1, state: .backoff, restarts: 1)
        (process.pid, process.uptime, process.lastExit, process.retryIn) = (1, 1, "e", 1)
        (process.cpu, process.memory, process.tree, process.statusText) = (1, 1, 1, "s")
        let status = ProgramStatus(
            number: 1, name: "api", state: .ready, operation: "reload", configured: true, wanted: 1, restarts: 1,
            processes: [process], problems: [])
        let setting = ProgramSetting(key: "k", value: "v", isDefault: true)
        let entry = LogEntry(
            sequence: 1, time: 1, source: "api:1", worker: 1, program: "api", stream: .err, pid: 1, level: .info,
            message: "m", fields: [:])
        #expect(try Self.keys(process) == Self.properties("ProgramProcessStatus"))
        #expect(try Self.keys(status) == Self.properties("ProgramStatus"))
        #expect(try Self.keys(setting) == Self.properties("ProgramSetting"))
        #expect(
            try Self.keys(ProgramDescription(status: status, settings: [setting], environment: [:]))
                == Self.properties("ProgramDescription"))
        #expect(
            try Self.keys(ProgramRequest(targets: [], instances: 1, signal: "HUP"))
                == Self.properties("ProgramRequest"))
        #expect(try Self.keys(entry) == Self.properties("LogEntry"))
    }

    @Test func eventsAreAllDescribed() throws {
        var event = ServiceEvent(sequence: 1, time: 1, type: "process.exited", level: .info, message: "m")
        (event.process, event.program, event.worker, event.pid) = ("api:1", "api", 1, 1)
        (event.code, event.signal, event.coreDumped, event.outOfMemory) = (1, "SIGKILL", true, true)
        (event.expected, event.reason, event.uptime, event.restarts) = (true, "r", 1, 1)
        (event.memory, event.memoryLimit, event.startTime, event.delay) = (1, 1, 1, 1)
        (event.operation, event.result, event.fields, event.leftOut, event.text) = ("o", "r", [:], 1, "t")
        #expect(try Self.keys(event) == Self.properties("ServiceEvent"))
        let page = try projectFile("docs/events.md")
        for kind in EventKind.all {
            let name = kind.name.split(separator: ".").map(String.init)
            #expect(page.contains("`\(kind.name)`") || page.contains("`\(name[0]).…`"), "\(kind.name)")
        }
    }
}
