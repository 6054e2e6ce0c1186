import Foundation
import Glibc
import Testing

@testable import Model
@testable import Supervisor

struct LogFolderTests {
    private func inDirectory(_ body: (String) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "wsd-logs-\(UInt64.random(in: 0...UInt64.max))")
        defer { try? FileManager.default.removeItem(at: directory) }
        try body(directory.path + "/state/logs")
    }

    private static func limits(
        maxSize: Int = 1000, keep: Int = 3, compress: Bool = false, total: Int = 100_000
    ) -> LogFolder.Limits {
        LogFolder.Limits(rotation: LogRotation(maxSize: maxSize, keep: keep, compress: compress), total: total)
    }

    private func write(_ lines: [(String, String)], _ folder: LogFolder) {
        lines.flatMap { LogFolder.frame($0.1, for: $0.0) }.withUnsafeBytes(folder.write)
    }

    private func names(_ path: String) -> [String] { LogFolderFile.all(in: path).map(\.name).sorted() }

    private func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func everyProgramHasItsFile() throws {
        try inDirectory { path in
            let folder = LogFolder(path: path, Self.limits())
            write([("api", "1\n"), ("wsd", "a\n"), ("api", "2\n")], folder)
            write([("api", "3\n")], folder)
            #expect(folder.trouble == nil)
            #expect(text(path + "/api.log") == "1\n2\n3\n")
            #expect(text(path + "/wsd.log") == "a\n")
        }
    }

    @Test func theOneWithMostLosesItsOldest() throws {
        try inDirectory { path in
            let folder = LogFolder(path: path, Self.limits(maxSize: 1000, keep: 100, total: 10_000))
            write([("quiet", "only line\n")], folder)
            for number in 0..<50 { write([("loud", String(repeating: "\(number % 10)", count: 800) + "\n")], folder) }
            let files = LogFolderFile.all(in: path)
            #expect(files.reduce(0) { $0 + $1.size } <= 10_000)
            #expect(text(path + "/quiet.log") == "only line\n")
            #expect(text(path + "/loud.log")?.hasPrefix("9999") == true)
            #expect(files.count > 8)
        }
    }

    @Test func manyFilesAreBoundedTogether() throws {
        try inDirectory { path in
            let folder = LogFolder(path: path, Self.limits(total: 8000))
            for number in 0..<100 { write([("p\(number)", String(repeating: "x", count: 199) + "\n")], folder) }
            let files = LogFolderFile.all(in: path)
            #expect(files.reduce(0) { $0 + $1.size } <= 8000)
            #expect(files.contains { $0.owner == "p99" })
        }
    }

    @Test func forgetsOneOrAll() throws {
        try inDirectory { path in
            let folder = LogFolder(path: path, Self.limits(maxSize: 10))
            write([("api", "12345678\n")], folder)
            write([("api", "87654321\n"), ("app", "x\n"), ("wsd", "own\n")], folder)
            #expect(names(path) == ["api.log", "api.log.1", "app.log", "wsd.log"])
            #expect(folder.clear(["api"]) == (2, 18))
            #expect(names(path) == ["app.log", "wsd.log"])
            write([("api", "new\n")], folder)
            #expect(text(path + "/api.log") == "new\n")
            #expect(folder.clear(nil) == (2, 6))
            #expect(names(path) == ["wsd.log"])
        }
    }

    @Test func filesOfOthersAreLeftAlone() throws {
        try inDirectory { path in
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            let others = ["auth.log", "kern.log.1", "nginx.access.log.14.gz"]
            for name in others { try Data(repeating: 65, count: 200_000).write(to: URL(filePath: "\(path)/\(name)")) }
            var folder = LogFolder(path: path, Self.limits(maxSize: 100))
            for _ in 0..<4 { write([("api", String(repeating: "x", count: 80) + "\n")], folder) }
            #expect(folder.trouble == nil)
            write([("kern", "x\n"), ("web", "1\n")], folder)
            #expect(
                folder.trouble == "kern.log.1 there is not wsd's: move it away, or choose another folder")
            // What wsd wrote before is known to the next one.
            folder.reopen()
            folder = LogFolder(path: path, Self.limits())
            write([("auth", "x\n")], folder)
            #expect(folder.trouble?.hasPrefix("auth.log there is not wsd's") == true)
            #expect(folder.clear(nil) == (5, 4 * 81 + 2))
            #expect(names(path) == others)
            #expect(text(path + "/auth.log")?.utf8.count == 200_000)
        }
    }

    @Test func aFolderThatIsRemovedIsMadeAnew() throws {
        try inDirectory { path in
            let folder = LogFolder(path: path, Self.limits())
            write([("api", "old\n")], folder)
            try FileManager.default.removeItem(atPath: path)
            write([("api", "new\n")], folder)
            #expect(folder.trouble == nil && text(path + "/api.log") == "new\n")
            try FileManager.default.moveItem(atPath: path, toPath: path + ".moved")
            write([("api", "newer\n")], folder)
            #expect(text(path + "/api.log") == "newer\n" && text(path + ".moved/api.log") == "new\n")
        }
    }

    @Test func twoServicesDoNotWriteTheSameFiles() throws {
        try inDirectory { path in
            let first = LogFolder(path: path, Self.limits())
            write([("api", "first\n")], first)
            let second = LogFolder(path: path, Self.limits())
            write([("api", "second\n")], second)
            #expect(second.trouble == "another wsd keeps its files there")
            #expect(second.takeFailures() == 1)
            #expect(second.clear(nil) == (0, 0))
            #expect(text(path + "/api.log") == "first\n")
            first.reopen()
            write([("api", "second\n")], second)
            #expect(second.trouble == nil)
            #expect(text(path + "/api.log") == "first\nsecond\n")
        }
    }

    @Test(arguments: [
        ("api.log", "api", true), ("api.log.1", "api", false), ("api.log.12.gz", "api", false),
        ("api.log.1.gz.tmp", "api", false), ("a.log.log", "a.log", true), ("x.log.1.log", "x.log.1", true),
        ("api.log.0", "api", false),
    ])
    func filesAreKnownByTheirNames(_ name: String, _ owner: String, _ isCurrent: Bool) {
        let file = LogFolderFile(name: name)
        #expect(file?.owner == owner && file?.isCurrent == isCurrent)
    }

    @Test(arguments: [
        "api", ".log", "api.log.gz", "api.txt", "api.log.x", "api.log.-1", "programs.json", "..", "api.log.tmp",
    ])
    func othersAreLeftAlone(_ name: String) {
        #expect(LogFolderFile(name: name) == nil)
    }

    // MARK: - Where they are

    private func plan(
        _ files: LogFiles = .auto, mode: RunMode = .dev, workers: Int? = nil,
        _ adjust: (inout LogService) -> Void = { _ in }
    ) -> LogFilesPlan? {
        var configuration = WsdConfiguration()
        configuration.mode = mode
        configuration.workers.count = workers
        configuration.log.files = files
        configuration.history.directory = "/state"
        var service = LogService(configuration, environment: [:], usesJournal: false)
        service.isFirstProcess = false
        adjust(&service)
        return LogFilesPlan(configuration.log, service: service)
    }

    @Test func filesAreThereUnlessSomebodyElseKeepsTheLines() {
        #expect(plan(mode: .prod)?.folder == "/state/logs")
        #expect(plan(mode: .prod)?.ownFromStart == true)
        #expect(plan(mode: .dev)?.ownFromStart == false)
        #expect(plan(mode: .dev, workers: 0)?.ownFromStart == true)
        #expect(plan { $0.usesJournal = true } == nil)
        #expect(plan { $0.isFirstProcess = true } == nil)
        #expect(plan(.never, mode: .prod) == nil)
        #expect(plan(.always) { $0.usesJournal = true }?.isWanted == true)
        #expect(plan { $0.environment["LOGS_DIRECTORY"] = "/var/log/wsd:/x" }?.folder == "/var/log/wsd")
    }
}
