internal import Glibc
internal import LinuxSystem
package import Model
package import NIOCore
internal import Synchronization

/// Writes log lines to the child's log pipe without ever waiting for its reader.
///
/// What the pipe does not take at once waits in a bounded buffer; what does not fit there is dropped, counted, and reported by a
/// line of its own as soon as there is room. Safe to use from any thread.
package final class ChildLogSink: Sendable {
    /// Bytes that wait for the pipe at most.
    package static let maxPending = 64 * 1024

    private struct State {
        var pending = ByteBuffer()
        var dropped = 0
        var unreported = 0
        var isBroken = false
    }

    private let descriptor: Int32
    private let severity: Atomic<UInt8>
    private let state = Mutex(State())

    /// - Parameter descriptor: stays the caller's. A pipe or socket is set non-blocking; anything else (a file, a terminal of
    ///   somebody trying the child by hand) is left as it is, for the setting would be shared with others.
    package init(descriptor: Int32 = STDERR_FILENO, level: LogLevel = .info) {
        self.descriptor = descriptor
        severity = Atomic(Self.severity(of: level))
        var status = stat()
        if fstat(descriptor, &status) == 0, [S_IFIFO, S_IFSOCK].contains(status.st_mode & S_IFMT) {
            try? Descriptors.setNonBlocking(descriptor)
        }
    }

    /// Lines below it are not written. May be changed at any time, for all loggers at once.
    package var level: LogLevel {
        get { LogLevel.allCases[Int(severity.load(ordering: .relaxed))] }
        set { severity.store(Self.severity(of: newValue), ordering: .relaxed) }
    }

    /// Lines dropped so far.
    package var linesDropped: Int { state.withLock { $0.dropped } }

    /// - Parameter line: with its line feed.
    package func write(_ line: ByteBuffer) {
        state.withLock { state in
            drain(&state)
            guard !state.isBroken, state.pending.readableBytes + line.readableBytes <= Self.maxPending else {
                state.dropped += 1
                state.unreported += 1
                return
            }
            state.pending.writeImmutableBuffer(line)
            drain(&state)
        }
    }

    /// Tries again to write what waits. To be called now and then (with each heartbeat), for lines behind which no other comes.
    package func flush() {
        state.withLock { drain(&$0) }
    }

    /// Writes what waits, for a process that is about to exit.
    ///
    /// - Parameter limit: how long it may wait for the reader.
    package func flush(waitingUpTo limit: Duration) {
        let deadline = MonotonicTime.now() + limit
        while hasPendingAfterDraining() {
            let left = deadline - .now()
            guard left > .zero else { return }
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            _ = poll(&entry, 1, Int32(clamping: left.milliseconds + 1))
        }
    }

    private func hasPendingAfterDraining() -> Bool {
        state.withLock { state in
            drain(&state)
            return state.pending.readableBytes > 0
        }
    }

    private func drain(_ state: inout State) {
        writePending(&state)
        guard state.unreported > 0, state.pending.readableBytes == 0, !state.isBroken else { return }
        let count = state.unreported
        state.unreported = 0
        let message = "Log lines were dropped: the log pipe was full"
        let line = LogLine(level: .warning, message: message, seconds: Clocks.wallSeconds())
        line.write([("log.dropped", "\(count)")], into: &state.pending)
        writePending(&state)
    }

    private func writePending(_ state: inout State) {
        while state.pending.readableBytes > 0 {
            let count = state.pending.withUnsafeReadableBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                state.pending.moveReaderIndex(forwardBy: count)
            } else if count < 0, errno == EINTR {
                continue
            } else if count < 0, errno == EAGAIN {
                state.pending.discardReadBytes()
                return
            } else {
                // Nobody will read any more.
                state.isBroken = true
                state.pending.clear()
                return
            }
        }
        state.pending.clear()
    }

    private static func severity(of level: LogLevel) -> UInt8 {
        UInt8(LogLevel.allCases.firstIndex(of: level) ?? 0)
    }
}
