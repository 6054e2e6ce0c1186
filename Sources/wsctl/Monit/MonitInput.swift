import Glibc
import LinuxSystem

/// Reads keys and signals on a thread of its own, since reading a terminal blocks.
final class MonitInput: Sendable {
    enum Event: Equatable, Sendable {
        case keys([MonitKey])
        case signal(Int32)
        /// The terminal is gone.
        case ended
    }

    /// Milliseconds after which an ESC that stands alone is the key: the rest of a sequence comes at once, even over ssh.
    private static let escapeDelay: Int32 = 50
    /// Milliseconds for the last frame when a signal ends the program; a terminal that takes nothing must not hold it.
    private static let lastFrame: Int32 = 1000
    private static let ending = [SIGTERM, SIGHUP, SIGINT, SIGQUIT]

    /// See ``FullScreenTerminal/signals()``.
    private let signals: Int32
    private let told: @Sendable (Event) -> Void

    private init(signals: Int32, _ told: @escaping @Sendable (Event) -> Void) {
        (self.signals, self.told) = (signals, told)
    }

    static func start(signals: Int32, _ told: @escaping @Sendable (Event) -> Void) throws(SystemError) {
        let context = Unmanaged.passRetained(MonitInput(signals: signals, told))
        var thread = pthread_t()
        let created = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<MonitInput>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard created == 0 else {
            context.release()
            throw SystemError(call: "pthread_create", code: created)
        }
        pthread_detach(thread)
    }

    private func run() {
        var decoder = MonitKeyDecoder()
        while true {
            var watched = [
                pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
            ]
            let count = poll(&watched, 2, decoder.isPending ? Self.escapeDelay : -1)
            if count < 0 { continue }
            if count == 0 { tell(decoder.flush()) }
            if watched[1].revents != 0 { readSignals() }
            guard watched[0].revents != 0 else { continue }
            guard let bytes = Self.read(STDIN_FILENO) else { break }
            tell(decoder.feed(bytes))
        }
        told(.ended)
        poll(nil, 0, Self.lastFrame)
        FullScreenTerminal.end(by: SIGHUP)
    }

    private func tell(_ keys: [MonitKey]) {
        if !keys.isEmpty { told(.keys(keys)) }
    }

    private func readSignals() {
        for signal in (Self.read(signals) ?? []).map(Int32.init) {
            told(.signal(signal))
            guard Self.ending.contains(signal) else { continue }
            poll(nil, 0, Self.lastFrame)
            FullScreenTerminal.end(by: signal)
        }
    }

    /// `nil`: nothing comes from there any more.
    private static func read(_ descriptor: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        if count > 0 { return Array(bytes.prefix(count)) }
        return count < 0 && (errno == EINTR || errno == EAGAIN) ? [] : nil
    }
}
