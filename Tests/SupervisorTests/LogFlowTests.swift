import Dispatch
import Foundation
import Glibc
import LinuxSystem
import NIOCore
import NIOPosix
import Supervision
import Testing
import Wire

@testable import Model
@testable import Supervisor

struct LogFlowTests {
    /// Prints lines into the pipe as a process does: waits where it is full.
    private static func flood(_ descriptor: Int32, lines: Int, _ done: EventLoopPromise<Void>) {
        let thread = Thread {
            var text: [UInt8] = []
            for number in 1...lines {
                text += Array("line \(number)\n".utf8)
                guard text.count > 8000 || number == lines else { continue }
                _ = FileOutput.writeAll(text.withUnsafeBytes { $0[...] }, to: descriptor)
                text = []
            }
            close(descriptor)
            done.succeed()
        }
        thread.start()
    }

    @Test func aProgramWaitsAndNoLineIsLost() async throws {
        let lines = 15_000
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let pipe = try Descriptors.pipe()
        let (ended, written) = (loop.makePromise(of: Void.self), loop.makePromise(of: Void.self))
        let log = try await loop.submit {
            let log = LogCenter(
                eventLoop: loop, configuration: LogConfiguration(), format: .json, console: nil)
            let source = LogSource(process: ProgramProcessID(program: "api", number: 1), stream: .out, pid: 7)
            let pump = NIOLoopBound(
                LogPump(log: log, source: source, clock: MonotonicTime.now, ended: { ended.succeed() }), eventLoop: loop
            )
            NIOPipeBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(pump.value) }
                }
                .takingOwnershipOfDescriptor(input: pipe.read).whenFailure { ended.fail($0) }
            return EventLoopConfined(log, eventLoop: loop)
        }.get()
        Self.flood(pipe.write, lines: lines, written)
        try await written.futureResult.get()
        try await ended.futureResult.get()
        let (last, dropped) = try await log.run { ($0.store.tail(LogFilter(), limit: 1).last, $0.droppedInAll) }
        #expect(last?.message == "line \(lines)" && last?.sequence == lines)
        #expect(dropped == 0)
    }

    @Test func readersTakeTurnsWhileTheLoopOrAWriterIsBusy() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let turns = try await loop.flatSubmit {
            let flow = LogFlow(eventLoop: loop, clock: MonotonicTime.now)
            let turns = loop.makePromise(of: [String].self)
            var read: [String] = []
            flow.read { read.append("at once") }
            var isBehind = true
            flow.isBehind = { isBehind }
            for name in ["a", "b", "c"] {
                flow.read {
                    read.append(name)
                    if name == "c" { turns.succeed(read) }
                }
            }
            read.append("behind")
            isBehind = false
            return turns.futureResult
        }.get()
        #expect(turns == ["at once", "behind", "a", "b", "c"])
    }

    @Test func aWriterThatTakesNothingIsNotWaitedForForEver() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let gate = DispatchSemaphore(value: 0)
        let (behind, kept, given, drained) = try await loop.flatSubmit {
            let start = MonotonicTime.now()
            var now = start
            let writer = BackgroundWriter(eventLoop: loop, destination: Gate(semaphore: gate)) { now }
            writer.write("the first is being written\n")
            writer.write(String(repeating: "x", count: BackgroundWriter.queueMax / 2 + 1))
            let behind = writer.isBehind
            // Of others that were read before they could be told to wait.
            for _ in 1...4 { writer.write(String(repeating: "x", count: BackgroundWriter.queueMax / 2)) }
            let kept = writer.dropped == 0
            now = start + BackgroundWriter.patience
            writer.write("x")
            let given = !writer.isBehind && writer.dropped == 1
            gate.signal()
            gate.signal()
            let bound = NIOLoopBound(writer, eventLoop: loop)
            return writer.flushed().map { (behind, kept, given, !bound.value.isBehind) }
        }.get()
        #expect(behind && kept && given && drained)
    }

    private struct Gate: LogDestination {
        let semaphore: DispatchSemaphore

        func write(_ bytes: UnsafeRawBufferPointer) { semaphore.wait() }
        func reopen() {}
    }
}
