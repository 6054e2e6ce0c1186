import Glibc
import LinuxSystem
import Model
import NIOCore
import NIOPosix
import Testing

@testable import Supervisor

/// What programs do by themselves: change files, and say things.
struct ProgramWatcherTests {
    private static let eventLoop = MultiThreadedEventLoopGroup.singleton.next()

    /// A watcher, and what it tells.
    private struct World {
        let watcher: EventLoopConfined<ProgramWatcher>
        private var told: AsyncStream<String>.Iterator

        init() async throws {
            let (stream, continuation) = AsyncStream.makeStream(of: String.self)
            told = stream.makeAsyncIterator()
            watcher = try await eventLoop.submit {
                let watcher = ProgramWatcher(
                    eventLoop: eventLoop, changed: { continuation.yield("\($0) \($1)") },
                    failed: { continuation.yield("\($0): \($1)") })
                return EventLoopConfined(watcher, eventLoop: eventLoop)
            }.get()
        }

        func watch(_ program: String, _ paths: [String]?, in folder: String) async throws {
            var configuration = ProgramConfiguration()
            configuration.folder = folder
            configuration.watch = paths ?? []
            configuration.watchDelay = .milliseconds(20)
            try await watcher.run { [configuration] in $0.watch(program, paths == nil ? nil : configuration) }
        }

        func untilWatching(_ program: String) async throws {
            for _ in 0..<10_000 {
                if try await watcher.run({ $0.isWatching(program) }) { return }
                try await Task.sleep(for: .milliseconds(1))
            }
            Issue.record("\(program) is not watched")
        }

        mutating func next() async -> String? { await told.next() }
    }

    private static func folder() throws -> String {
        var template = Array("/tmp/wsd-test-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func write(_ path: String) {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        #expect(Glibc.write(file, "x", 1) == 1)
        close(file)
    }

    @Test(.timeLimit(.minutes(1))) func aChangeIsToldOfTheProgramThatItConcerns() async throws {
        let folder = try Self.folder()
        for name in ["a", "b"] { mkdir("\(folder)/\(name)", 0o700) }
        var world = try await World()
        try await world.watch("api", ["a"], in: folder)
        try await world.watch("web", ["b"], in: folder)
        try await world.untilWatching("api")
        try await world.untilWatching("web")
        Self.write("\(folder)/b/1")
        Self.write("\(folder)/b/2")
        #expect(await world.next() == "web b/1")
        // The same again is no new watch, another is.
        try await world.watch("api", ["a"], in: folder)
        #expect(try await world.watcher.run { $0.isWatching("api") })
        try await world.watch("web", nil, in: folder)
        #expect(try await !world.watcher.run { $0.isWatching("web") })
        Self.write("\(folder)/b/3")
        Self.write("\(folder)/a/3")
        #expect(await world.next() == "api a/3")
        try await world.watcher.run { $0.stop() }
        for name in ["a/3", "b/1", "b/2", "b/3", "a", "b", ""] { remove("\(folder)/\(name)") }
    }

    @Test(.timeLimit(.minutes(1))) func whatCannotBeWatchedIsToldOnce() async throws {
        let folder = try Self.folder()
        var world = try await World()
        try await world.watch("api", ["src"], in: folder)
        #expect(await world.next() == "api: \(folder)/src is to be watched, but there is no such file or folder")
        try await world.watcher.run { $0.stop() }
        remove(folder)
    }

    @Test(.timeLimit(.minutes(1))) func aWordIsOfTheInstanceWhoseSocketItCameTo() async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        var heard = stream.makeAsyncIterator()
        let notifications = try await Self.eventLoop.submit {
            let notifications = try ProgramNotifications(eventLoop: Self.eventLoop) { instance, message in
                continuation.yield("\(instance) \(message.pid == getpid()) \(message.assignments)")
            }
            return EventLoopConfined(notifications, eventLoop: Self.eventLoop)
        }.get()
        let addresses = try await notifications.run { notifications in
            try (1...2).map { try notifications.open(InstanceID(rawValue: $0)) }
        }
        try Self.say("READY=1", to: addresses[1])
        #expect(await heard.next() == #"#2 true ["READY=1"]"#)
        try await notifications.run { $0.close(InstanceID(rawValue: 2)) }
        #expect(throws: IOError.self) { try Self.say("STATUS=late", to: addresses[1]) }
        try Self.say("STATUS=here", to: addresses[0])
        #expect(await heard.next() == #"#1 true ["STATUS=here"]"#)
        try await notifications.run { $0.stop() }
    }

    private static func say(_ text: String, to address: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(descriptor) }
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let bytes = [0] + address.utf8.dropFirst()
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let sent = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, text, text.utf8.count, 0, $0, length)
            }
        }
        guard sent == text.utf8.count else { throw IOError(errnoCode: errno, reason: "sendto") }
    }
}
