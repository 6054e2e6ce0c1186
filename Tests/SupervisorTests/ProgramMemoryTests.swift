import Glibc
import LinuxSystem
import Model
import NIOCore
import NIOPosix
import Supervision
import Testing

@testable import Supervisor

struct ProgramMemoryTests {
    private let eventLoop = NIOSingletons.posixEventLoopGroup.next()
    private let folder: String

    init() throws {
        var template = Array("/tmp/wsd-memory-XXXXXX".utf8CString)
        folder = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    private var path: String { folder + "/state/programs.json" }

    private func memory() async throws -> EventLoopConfined<ProgramMemory> {
        try await eventLoop.submit { [eventLoop, path] in
            EventLoopConfined(
                ProgramMemory(path: path, eventLoop: eventLoop, retryPause: .milliseconds(2)), eventLoop: eventLoop)
        }.get()
    }

    private func remember(_ memory: EventLoopConfined<ProgramMemory>, _ name: String) async throws {
        try await memory.run { memory in
            var program = ProgramConfiguration()
            (program.name, program.command) = (name, ["x"])
            memory.remember([ProgramDefinition(configuration: program, origin: .runTime)]) { _ in }
        }
    }

    private func until(
        _ memory: EventLoopConfined<ProgramMemory>, _ condition: @escaping @Sendable (String?) -> Bool
    ) async throws {
        let deadline = MonotonicTime.now() + .seconds(10)
        while try await !memory.run({ $0.isIdle && condition($0.trouble) }) {
            try #require(MonotonicTime.now() < deadline)
            try await eventLoop.scheduleTask(in: .milliseconds(2)) {}.futureResult.get()
        }
    }

    private func clear() {
        for name in ["/state/programs.json", "/state/programs.json.kept"] { unlink(folder + name) }
        rmdir(folder + "/state")
        rmdir(folder)
    }

    @Test func whatCannotBeWrittenIsTriedAgain() async throws {
        defer { clear() }
        // A file where the folder is to be.
        close(open(folder + "/state", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
        let memory = try await memory()
        _ = try await memory.run { $0.recall().warnings }
        try await remember(memory, "one")
        try await until(memory) { $0?.contains("cannot be written: Not a directory") == true }
        #expect(unlink(folder + "/state") == 0)
        try await until(memory) { $0 == nil }
        #expect(try await self.memory().run { $0.recall().programs.map(\.configuration.name) } == ["one"])
    }

    @Test func whatCouldNotBeReadIsNotWrittenOver() async throws {
        defer { clear() }
        let first = try await memory()
        try await remember(first, "one")
        try await until(first) { $0 == nil }
        #expect(chmod(path, 0o602) == 0)
        let second = try await memory()
        #expect(try await second.run { $0.recall().warnings.count } == 1)
        try await remember(second, "two")
        try await until(second) { $0?.contains("It is not written over") == true }
        #expect(rename(path, path + ".kept") == 0)
        try await until(second) { $0 == nil }
        #expect(try await self.memory().run { $0.recall().programs.map(\.configuration.name) } == ["two"])
    }
}
