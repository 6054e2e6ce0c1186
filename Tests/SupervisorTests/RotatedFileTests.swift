import Foundation
import Glibc
import NIOCore
import NIOPosix
import Synchronization
import Testing
import Wire

@testable import Model
@testable import Supervisor

struct RotatedFileTests {
    private func inDirectory(_ body: (String) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "wsd-log-\(UInt64.random(in: 0...UInt64.max))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try body(directory.path)
    }

    private func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func keepsTheConfiguredNumberOfFiles() throws {
        try inDirectory { directory in
            let path = directory + "/wsd.log"
            let file = RotatedFile(path: path, LogRotation(maxSize: 10, keep: 2))
            for number in 1...4 { file.write("line \(number)...\n") }
            #expect(text(path) == "line 4...\n")
            #expect(text(path + ".1") == "line 3...\n")
            #expect(text(path + ".2") == "line 2...\n")
            #expect(text(path + ".3") == nil)
        }
    }

    @Test func compressesWhatIsRotatedAway() throws {
        try inDirectory { directory in
            let path = directory + "/wsd.log"
            let line = String(repeating: "The same again. ", count: 20_000) + "\n"
            let file = RotatedFile(path: path, LogRotation(maxSize: 300_000, keep: 2, compress: true))
            // As a crash leaves it.
            try Data("half".utf8).write(to: URL(filePath: path + ".1.gz.tmp"))
            for _ in 1...4 { file.write(line) }
            #expect(text(path) == line)
            let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            #expect(names == ["wsd.log", "wsd.log.1.gz", "wsd.log.2.gz"])
            #expect(try gunzipped(path + ".1.gz") == line)
            #expect(try gunzipped(path + ".2.gz") == line)
        }
    }

    private func gunzipped(_ path: String) throws -> String {
        let pipe = try #require(popen("gzip -dc '\(path)'", "r"))
        defer { pclose(pipe) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while case let count = fread(&piece, 1, piece.count, pipe), count > 0 { bytes += piece[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func oneThatCannotBeCompressedStays() throws {
        try inDirectory { directory in
            let path = directory + "/wsd.log"
            try FileManager.default.createDirectory(
                atPath: path + ".1.gz.tmp/x", withIntermediateDirectories: true)
            let file = RotatedFile(path: path, LogRotation(maxSize: 5, keep: 2, compress: true))
            for text in ["one\n", "two\n"] { file.write(text) }
            #expect(text(path + ".1") == "one\n")
            #expect(text(path) == "two\n")
        }
    }

    @Test(arguments: [
        "2026-11-21 06:00:00.123 INFO  api:1      up\n",
        #"{"time":"2026-11-21T06:00:00.123456Z","level":"info"}"# + "\n",
        "no time\n",
    ])
    func oneThatIsTooOldIsRotated(_ first: String) throws {
        try inDirectory { directory in
            let path = directory + "/wsd.log"
            let begun = try #require(LogFileTime.parse(Array(#"{"time":"2026-11-21T06:00:00"#.utf8)))
            #expect(begun == 1_795_240_800)
            let start = LogFileTime.parse(Array(first.utf8)) ?? begun
            let clock = Atomic(Int(start))
            let rotation = LogRotation(maxSize: 1000, maxAge: 3600, keep: 2)
            let before = RotatedFile(path: path, rotation) { Double(clock.load(ordering: .relaxed)) }
            before.write(first)
            // A later service goes on with it, and knows how old it is; of other text it does not.
            let file = RotatedFile(path: path, rotation) { Double(clock.load(ordering: .relaxed)) }
            clock.store(Int(start) + 3590, ordering: .relaxed)
            file.write("still\n")
            #expect(text(path) == first + "still\n")
            clock.store(Int(start) + (first == "no time\n" ? 7190 : 3600), ordering: .relaxed)
            file.write("new\n")
            #expect(text(path) == "new\n")
            #expect(text(path + ".1") == first + "still\n")
        }
    }

    @Test func manyLinesAtOnceFillOneFileAfterTheOther() throws {
        try inDirectory { directory in
            let path = directory + "/wsd.log"
            let file = RotatedFile(path: path, LogRotation(maxSize: 8, keep: 9))
            file.write("aa\nbb\ncc\nlonger than all\ndd\n")
            #expect(text(path + ".3") == "aa\nbb\n")
            #expect(text(path + ".2") == "cc\n")
            #expect(text(path + ".1") == "longer than all\n")
            #expect(text(path) == "dd\n")
        }
    }

    @Test func goesOnWhereAPredecessorStopped() throws {
        try inDirectory { directory in
            let path = directory + "/wsd.log"
            RotatedFile(path: path, LogRotation(maxSize: 100, keep: 1)).write("one\n")
            RotatedFile(path: path, LogRotation(maxSize: 100, keep: 1)).write("two\n")
            #expect(text(path) == "one\ntwo\n")
        }
    }

    @Test func opensAnewAfterSomebodyMovedTheFile() throws {
        try inDirectory { directory in
            let path = directory + "/wsd.log"
            let file = RotatedFile(path: path, LogRotation(maxSize: 100, keep: 1))
            file.write("old\n")
            try FileManager.default.moveItem(atPath: path, toPath: path + ".moved")
            file.reopen()
            file.write("new\n")
            #expect(text(path) == "new\n")
            #expect(text(path + ".moved") == "old\n")
        }
    }

    @Test func oneThatIsRemovedIsBegunAnew() throws {
        try inDirectory { directory in
            let path = directory + "/wsd.log"
            let file = RotatedFile(path: path, LogRotation(maxSize: 100, keep: 1))
            file.write("old\n")
            #expect(unlink(path) == 0)
            file.write("new\n")
            #expect(text(path) == "new\n")
        }
    }

    @Test func oneThatCannotBeRenamedGoesOnAndIsBounded() throws {
        try inDirectory { directory in
            let path = directory + "/wsd.log"
            let clock = Atomic(1000)
            let file = RotatedFile(path: path, LogRotation(maxSize: 10, keep: 1)) {
                Double(clock.load(ordering: .relaxed))
            }
            try FileManager.default.createDirectory(atPath: path + ".1/x", withIntermediateDirectories: true)
            for number in 1...3 { file.write("line \(number)\n") }
            #expect(file.obstacle == "Is a directory" && file.trouble == nil)
            #expect(text(path) == "line 1\nline 2\nline 3\n")
            // At twice its limit it is emptied.
            file.write("line 4\n")
            #expect(text(path) == "line 4\n")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: directory).sorted() == ["wsd.log", "wsd.log.1"])
            try FileManager.default.removeItem(atPath: path + ".1")
            clock.add(60, ordering: .relaxed)
            file.write("line 5\n")
            #expect(file.obstacle == nil)
            #expect(text(path) == "line 5\n")
            #expect(text(path + ".1") == "line 4\n")
        }
    }

    @Test(arguments: [(true, "it is a symbolic link"), (false, "nobody reads from it")])
    func onlyPlainFilesAreWrittenTo(_ isLink: Bool, _ reason: String) throws {
        try inDirectory { directory in
            let path = directory + "/wsd.log"
            #expect((isLink ? symlink(directory + "/victim", path) : mkfifo(path, 0o600)) == 0)
            let file = RotatedFile(path: path, LogRotation(maxSize: 10, keep: 1), isPlain: true)
            file.write("line\n")
            #expect(file.trouble == reason)
            #expect(text(directory + "/victim") == nil)
        }
    }

    @Test func countsWhatCannotBeWrittenAndTriesAgain() throws {
        try inDirectory { directory in
            let path = directory + "/missing/wsd.log"
            let file = RotatedFile(path: path, LogRotation(maxSize: 100, keep: 1))
            file.write("lost\n")
            file.write("lost\n")
            #expect(file.trouble == "No such file or directory")
            #expect(file.takeFailures() == 2)
            #expect(file.takeFailures() == 0)
            try FileManager.default.createDirectory(atPath: directory + "/missing", withIntermediateDirectories: true)
            file.write("kept\n")
            #expect(text(path) == "kept\n")
            #expect(file.trouble == nil)
        }
    }

    @Test func aFullDiskIsToldOnceAMinuteAndInTheStatus() async throws {
        var configuration = LogConfiguration()
        configuration.file = "/dev/full"
        let eventLoop = NIOSingletons.posixEventLoopGroup.next()
        let lines = try await eventLoop.flatSubmit { [configuration] in
            let log = LogCenter(eventLoop: eventLoop, configuration: configuration, format: .json, console: nil)
            log.takeOwn(.info, "Lost", [:])
            let bound = NIOLoopBound(log, eventLoop: eventLoop)
            return log.flushed().map {
                let log = bound.value
                for _ in 0..<10 { log.reportTrouble() }
                let told = log.store.tail(LogFilter(level: .error), limit: 9).map(\.message)
                return told + [log.problem ?? "none"]
            }
        }.get()
        #expect(lines.first == "The log file cannot be written")
        #expect(lines.count == 2)
        #expect(lines.last?.hasPrefix("The log file /dev/full cannot be written: No space left on device.") == true)
    }
}

struct BannerTests {
    private func banner(_ addresses: [ListenAddress]) -> Banner {
        Banner(
            version: "1.2.3", mode: .dev, addresses: addresses, workers: 1, controlSocket: "/run/wsd/control.sock",
            socketFlag: "", configurationFile: nil, page: "/")
    }

    @Test func endsWithTheAddressToOpen() {
        let text = banner([.tcp(host: nil, port: 8080), .unix(path: "/run/app.sock")]).text(coloured: false)
        #expect(text.hasSuffix("\n  http://localhost:8080/\n"))
        #expect(text.contains("all addresses, port 8080, unix:/run/app.sock"))
        #expect(text.contains("1 worker,"))
    }

    @Test func aManagerOfProgramsHasNoAddress() {
        var banner = banner([])
        (banner.workers, banner.page) = (nil, nil)
        let text = banner.text(coloured: false)
        #expect(text.contains("is ready: programs only, no workers, development mode"))
        #expect(!text.contains("listening") && !text.contains("http"))
    }

    @Test func writesAddressesAsAClientWould() {
        #expect(Banner.url(.tcp(host: "127.0.0.1", port: 80)) == "http://127.0.0.1:80")
        #expect(Banner.url(.tcp(host: "::1", port: 80)) == "http://[::1]:80")
        #expect(Banner.url(.unix(path: "/a")) == "unix:/a")
    }
}
