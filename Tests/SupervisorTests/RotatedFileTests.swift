import FoundationEssentials
import NIOCore
import NIOPosix
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
            let file = RotatedFile(path: path, maxSize: 10, keep: 2)
            for number in 1...4 { file.write("line \(number)...\n") }
            #expect(text(path) == "line 4...\n")
            #expect(text(path + ".1") == "line 3...\n")
            #expect(text(path + ".2") == "line 2...\n")
            #expect(text(path + ".3") == nil)
        }
    }

    @Test func goesOnWhereAPredecessorStopped() throws {
        try inDirectory { directory in
            let path = directory + "/wsd.log"
            RotatedFile(path: path, maxSize: 100, keep: 1).write("one\n")
            RotatedFile(path: path, maxSize: 100, keep: 1).write("two\n")
            #expect(text(path) == "one\ntwo\n")
        }
    }

    @Test func opensAnewAfterSomebodyMovedTheFile() throws {
        try inDirectory { directory in
            let path = directory + "/wsd.log"
            let file = RotatedFile(path: path, maxSize: 100, keep: 1)
            file.write("old\n")
            try FileManager.default.moveItem(atPath: path, toPath: path + ".moved")
            file.reopen()
            file.write("new\n")
            #expect(text(path) == "new\n")
            #expect(text(path + ".moved") == "old\n")
        }
    }

    @Test func countsWhatCannotBeWrittenAndTriesAgain() throws {
        try inDirectory { directory in
            let path = directory + "/missing/wsd.log"
            let file = RotatedFile(path: path, maxSize: 100, keep: 1)
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
