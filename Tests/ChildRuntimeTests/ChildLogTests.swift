import FoundationEssentials
import Glibc
import LinuxSystem
import Logging
import Model
import NIOCore
import Testing

@testable import ChildRuntime

struct ChildLogTests {
    /// The shape of a line.
    private struct Line: Decodable {
        var t: Double
        var l: LogLevel
        var m: String
        var f: [String: String]?
    }

    /// A sink whose pipe is read by the test.
    private final class Pipe {
        let read: Int32
        let write: Int32

        init() throws {
            (read, write) = try Descriptors.pipe()
        }

        deinit {
            for descriptor in [read, write] { Descriptors.close(descriptor) }
        }

        /// What is there now.
        func drain() -> [UInt8] {
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 64 * 1024)
            while case let count = Glibc.read(read, &chunk, chunk.count), count > 0 { bytes += chunk[..<count] }
            return bytes
        }

        func lines() throws -> [Line] { try Self.lines(drain()) }

        static func lines(_ bytes: [UInt8]) throws -> [Line] {
            try bytes.split(separator: UInt8(ascii: "\n")).map { try JSONDecoder().decode(Line.self, from: Data($0)) }
        }
    }

    @Test func anEventIsALine() throws {
        let pipe = try Pipe()
        let sink = ChildLogSink(descriptor: pipe.write)
        var logger = Logger(label: "wsd.test") { ChildLogHandler(label: $0, sink: sink) }
        logger[metadataKey: "worker.slot"] = "3"
        logger.notice("Said \"so\"\n\u{1}\u{7f}", metadata: ["client.id": "ü/\\", "list": ["a", "b"]])
        let line = try #require(try pipe.lines().first)
        #expect(line.m == "Said \"so\"\n\u{1}\u{7f}")
        #expect(line.l == .notice)
        #expect(abs(line.t - Clocks.wallSeconds()) < 60)
        #expect(line.f?["worker.slot"] == "3")
        #expect(line.f?["client.id"] == "ü/\\")
        #expect(line.f?.keys.sorted() == ["client.id", "list", "worker.slot"])
    }

    @Test func othersAreNamedAndErrorsShown() throws {
        let pipe = try Pipe()
        let sink = ChildLogSink(descriptor: pipe.write)
        let logger = Logger(label: "Hummingbird") { ChildLogHandler(label: $0, sink: sink) }
        logger.error("Failed", error: ChildStartError.linkClosed)
        let fields = try #require(try pipe.lines().first?.f)
        #expect(fields["logger"] == "Hummingbird")
        #expect(fields["error"] == "\(ChildStartError.linkClosed)")
    }

    @Test func theLevelChangesForAllLoggersAtOnce() throws {
        let pipe = try Pipe()
        let sink = ChildLogSink(descriptor: pipe.write, level: .warning)
        let logger = Logger(label: "wsd.test") { ChildLogHandler(label: $0, sink: sink) }
        var own = logger
        own.logLevel = .error
        logger.info("one")
        sink.level = .trace
        logger.trace("two")
        own.warning("three")
        own.error("four")
        #expect(try pipe.lines().map(\.m) == ["two", "four"])
        #expect(Logger.Level.allCases.map { Logger.Level(LogLevel($0)) } == Logger.Level.allCases)
    }

    @Test func aFullPipeNeitherBlocksNorTearsLines() throws {
        let pipe = try Pipe()
        let sink = ChildLogSink(descriptor: pipe.write)
        let logger = Logger(label: "wsd.test") { ChildLogHandler(label: $0, sink: sink) }
        let sent = 2000
        for number in 0..<sent {
            logger.info("\(number)", metadata: ["filling": "\(String(repeating: "x", count: 700))"])
        }
        let dropped = sink.linesDropped
        #expect(dropped > 0 && dropped < sent)

        // What was kept comes out whole and in order, then the count of what was not.
        var bytes = pipe.drain()
        sink.flush()
        bytes += pipe.drain()
        let lines = try Pipe.lines(bytes)
        let numbers = lines.compactMap { Int($0.m) }
        #expect(numbers == Array(0..<(sent - dropped)))
        #expect(lines.last?.l == .warning)
        #expect(lines.last?.f == ["log.dropped": "\(dropped)"])

        logger.info("after")
        #expect(try pipe.lines().map(\.m) == ["after"])
    }

    @Test func theReaderMayBeGone() throws {
        signal(SIGPIPE, SIG_IGN)
        let (read, write) = try Descriptors.pipe()
        defer { Descriptors.close(write) }
        Descriptors.close(read)
        let sink = ChildLogSink(descriptor: write)
        sink.write(ByteBuffer(string: "{}\n"))
        sink.write(ByteBuffer(string: "{}\n"))
        sink.flush(waitingUpTo: .seconds(10))
        #expect(sink.linesDropped == 1)
    }

    @Test func theLastFlushIsBoundedInTime() throws {
        let pipe = try Pipe()
        let sink = ChildLogSink(descriptor: pipe.write)
        for _ in 0..<1000 { sink.write(ByteBuffer(repeating: UInt8(ascii: "x"), count: 1024)) }
        let start = MonotonicTime.now()
        sink.flush(waitingUpTo: .milliseconds(30))
        #expect(MonotonicTime.now() - start >= .milliseconds(30))
    }

    @Test func longValuesAreCut() throws {
        let long = String(repeating: "é", count: 5000)
        var buffer = ByteBuffer()
        let fields = (0..<10).map { (name: "field\($0)", value: long) }
        LogLine(level: .info, message: long, seconds: 1_770_000_000.000_001).write(fields, into: &buffer)
        #expect(buffer.readableBytes < 16 * 1024)
        let text = String(buffer: buffer)
        #expect(text.hasPrefix("{\"t\":1770000000.000001,\"l\":\"info\",\"m\":\"éé"))
        let line = try #require(try Pipe.lines(Array(buffer.readableBytesView)).first)
        #expect(line.m.utf8.count < 4200)
        #expect(line.f?["log.truncated"] == "true")
        #expect(line.f?.count == 2)
    }

    @Test func aFileIsLeftAsItIs() throws {
        let descriptor = open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { Descriptors.close(descriptor) }
        let sink = ChildLogSink(descriptor: descriptor)
        #expect(fcntl(descriptor, F_GETFL) & O_NONBLOCK == 0)
        sink.write(ByteBuffer(string: "{}\n"))
        #expect(sink.linesDropped == 0)
    }
}
