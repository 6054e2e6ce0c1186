import CLinux
import Glibc

/// The socket of systemd-journald that takes records with fields (systemd.io, "Native Journal Protocol"). Nothing
/// here waits but ``waitForRoom(milliseconds:)``. Whoever holds it calls ``disconnect()`` at the end.
package struct JournalSocket: Sendable {
    package static let usualPath = "/run/systemd/journal/socket"

    package enum Outcome: Equatable {
        /// In the journal's queue, which a restart of the journal leaves as it is.
        case sent
        /// The queue is full: the journal is stopped, or slower than its clients.
        case full
        /// There is no journal, or not yet again.
        case unreachable
    }

    private let path: String
    private var descriptor: Int32 = -1

    package init(path: String = usualPath) {
        self.path = path
    }

    /// Sends one record of any length.
    package mutating func send(_ record: UnsafeRawBufferPointer) -> Outcome {
        // A second time over a new connection: the socket of the first may be gone.
        for _ in 0..<2 {
            if descriptor < 0 { descriptor = wsd_connect_datagram(path) }
            guard descriptor >= 0 else { return .unreachable }
            if wsd_send_datagram(descriptor, record.baseAddress, record.count) == 0 { return .sent }
            if errno == EAGAIN { return .full }
            disconnect()
        }
        return .unreachable
    }

    /// Waits until there is room in the journal's queue, or the time is over.
    package func waitForRoom(milliseconds: Int32) {
        var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // Without a connection it is the time alone.
        poll(&poller, descriptor < 0 ? 0 : 1, milliseconds)
    }

    package mutating func disconnect() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }

    /// Whether what this process writes to standard error goes to the journal anyway (`$JOURNAL_STREAM`, systemd.exec(5)).
    package static func isStandardError(_ environment: [String: String]) -> Bool {
        var status = stat()
        guard let stream = environment["JOURNAL_STREAM"], fstat(STDERR_FILENO, &status) == 0 else { return false }
        return stream == "\(status.st_dev):\(status.st_ino)"
    }
}
