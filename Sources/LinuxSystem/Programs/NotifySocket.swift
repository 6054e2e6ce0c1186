import CLinux
import Glibc
import Synchronization

/// What a program says of itself (sd_notify(3)).
package struct NotifyMessage: Hashable, Sendable {
    /// Who sent it, as the kernel knows it; the process may have ended since. 0: unknown.
    package var pid: Int32
    package var uid: UInt32
    /// `READY=1`, `STATUS=…`: one for each line.
    package var assignments: [String]

    package init(pid: Int32, uid: UInt32, assignments: [String]) {
        self.pid = pid
        self.uid = uid
        self.assignments = assignments
    }

    package var isReady: Bool { assignments.contains("READY=1") }

    /// The last text for people in it, without line breaks; `nil`: none.
    package var status: String? {
        assignments.last { $0.hasPrefix("STATUS=") }.map { String($0.dropFirst(7)) }
    }
}

/// A datagram socket to which programs send notifications.
package struct NotifySocket: Codable, Sendable {
    /// Non-blocking, CLOEXEC; readable while a message waits.
    package let descriptor: Int32
    /// The value of `NOTIFY_SOCKET`: an abstract address, so that programs of other users reach it. Whoever knows it can send.
    package let address: String

    /// Bytes of the longest message; longer ones are dropped, as systemd does it.
    package static let longestMessage = 4096

    package init() throws(SystemError) {
        var name = [CChar](repeating: 0, count: 64)
        descriptor = try SystemError.check("bind", "notification socket", wsd_notify_socket(&name, name.count))
        address = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// - Parameter limit: of messages that are taken at once.
    /// - Returns: what waits; empty when there is nothing.
    package func receive(limit: Int = 16) -> [NotifyMessage] {
        var messages: [NotifyMessage] = []
        var bytes = [UInt8](repeating: 0, count: Self.longestMessage)
        for _ in 0..<limit {
            var sender = wsd_credentials()
            let length = wsd_receive_notification(descriptor, &bytes, bytes.count, &sender)
            guard length >= 0 else { break }
            guard length <= bytes.count else { continue }
            let lines = bytes[..<length].split { $0 == UInt8(ascii: "\n") || $0 == 0 }
            messages.append(
                NotifyMessage(
                    pid: sender.pid, uid: sender.uid, assignments: lines.map { String(decoding: $0, as: UTF8.self) }))
        }
        return messages
    }

    package func close() {
        Glibc.close(descriptor)
    }
}

/// Waits on a thread of its own for notifications at any number of sockets, each known by a key.
package final class NotifyListener: Sendable {
    private struct State {
        var sockets: [UInt64: (key: UInt64, socket: NotifySocket)] = [:]
        var marks: [UInt64: UInt64] = [:]
        var lastMark: UInt64 = 0
    }

    private let state = Mutex(State())
    private let thread: EpollThread
    private let received: @Sendable (UInt64, [NotifyMessage]) -> Void

    /// - Parameter received: called on the listener's thread with what came for a key; the senders wait while it blocks.
    package init(
        received: @escaping @Sendable (_ key: UInt64, _ messages: [NotifyMessage]) -> Void
    ) throws(SystemError) {
        self.received = received
        thread = try EpollThread()
        try thread.start(
            named: "wsd-notify",
            ready: { [self] marks in for mark in marks { take(mark) } },
            ended: { [self] in
                state.withLock { state in
                    for (_, socket) in state.sockets.values { socket.close() }
                    state = State()
                }
            })
    }

    /// Opens the socket of a key that has none.
    ///
    /// - Returns: the value of `NOTIFY_SOCKET`.
    package func open(_ key: UInt64) throws(SystemError) -> String {
        let socket = try NotifySocket()
        try adopt(socket, for: key)
        return socket.address
    }

    /// Listens at a socket, which is the listener's from here on, also when it throws.
    package func adopt(_ socket: NotifySocket, for key: UInt64) throws(SystemError) {
        let failure = state.withLock { state -> Int32 in
            if thread.isStopped { return ECANCELED }
            if state.marks[key] != nil { return EEXIST }
            state.lastMark += 1
            let code = thread.watch(socket.descriptor, mark: state.lastMark)
            guard code == 0 else { return code }
            state.sockets[state.lastMark] = (key, socket)
            state.marks[key] = state.lastMark
            return 0
        }
        guard failure != 0 else { return }
        socket.close()
        throw SystemError(call: "epoll_ctl", code: failure)
    }

    /// Open sockets by their keys.
    package var sockets: [UInt64: NotifySocket] {
        state.withLock { state in
            Dictionary(uniqueKeysWithValues: state.sockets.values.map { ($0.key, $0.socket) })
        }
    }

    /// Closes the socket of a key. What has been taken from it may still be told.
    package func close(_ key: UInt64) {
        state.withLock { state in
            guard let mark = state.marks.removeValue(forKey: key) else { return }
            // Closing takes it out of the epoll set, too.
            state.sockets.removeValue(forKey: mark)?.socket.close()
        }
    }

    /// Nothing is taken any more until ``release()``: messages wait in their sockets (``isQuiet``).
    package func hold() { thread.hold() }
    package func release() { thread.release() }
    package var isQuiet: Bool { thread.isQuiet }

    /// Ends the thread and closes all sockets.
    package func stop() { thread.stop() }

    private func take(_ mark: UInt64) {
        let taken = state.withLock { state in state.sockets[mark].map { ($0.key, $0.socket.receive()) } }
        if let (key, messages) = taken, !messages.isEmpty { received(key, messages) }
    }
}
