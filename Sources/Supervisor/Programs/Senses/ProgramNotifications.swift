import LinuxSystem
import Model
import NIOCore

/// Hears what processes say of themselves: each has a socket of its own, so that a word is its instance's even when whoever sent
/// it (systemd-notify(1) in a script) has ended by then. Confined to the event loop.
final class ProgramNotifications {
    private let listener: NotifyListener
    private let open: NIOLoopBoundBox<Set<InstanceID>>

    /// - Parameter received: on the event loop; never after ``close(_:)``.
    init(
        eventLoop: any EventLoop, received: @escaping (InstanceID, NotifyMessage) -> Void
    ) throws(SystemError) {
        let open = NIOLoopBoundBox<Set<InstanceID>>([], eventLoop: eventLoop)
        let bound = NIOLoopBound(received, eventLoop: eventLoop)
        self.open = open
        listener = try NotifyListener { key, messages in
            // The senders wait as long as the event loop has not come to it.
            try? eventLoop.submit {
                let instance = InstanceID(rawValue: Int(truncatingIfNeeded: key))
                for message in messages where open.value.contains(instance) { bound.value(instance, message) }
            }.wait()
        }
    }

    /// Opens the socket of an instance.
    ///
    /// - Returns: what its `NOTIFY_SOCKET` is to be.
    func open(_ instance: InstanceID) throws(SystemError) -> String {
        let address = try listener.open(Self.key(instance))
        open.value.insert(instance)
        return address
    }

    /// The instance has ended.
    func close(_ instance: InstanceID) {
        open.value.remove(instance)
        listener.close(Self.key(instance))
    }

    /// Nothing is heard until it is `false` again: words wait. See ``isQuiet``.
    func hold(_ isHeld: Bool) { isHeld ? listener.hold() : listener.release() }

    var isQuiet: Bool { listener.isQuiet }

    /// The sockets by instance.
    var sockets: [InstanceID: NotifySocket] {
        Dictionary(
            uniqueKeysWithValues: listener.sockets.map {
                (InstanceID(rawValue: Int(truncatingIfNeeded: $0.key)), $0.value)
            })
    }

    /// Listens at a socket that another one opened.
    func adopt(_ socket: NotifySocket, of instance: InstanceID) throws(SystemError) {
        try listener.adopt(socket, for: Self.key(instance))
        open.value.insert(instance)
    }

    func stop() {
        open.value = []
        listener.stop()
    }

    private static func key(_ instance: InstanceID) -> UInt64 { UInt64(bitPattern: Int64(instance.rawValue)) }
}
