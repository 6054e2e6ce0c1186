/// The live connections of a worker.
struct LiveConnections {
    /// At a time; more are refused. Each takes a connection of the control socket.
    static let maximum = 32

    var source: LiveSource
    private var handlers: [ObjectIdentifier: LiveHandler] = [:]

    init(source: LiveSource) {
        self.source = source
    }

    /// Sockets, those that are refused or being closed among them.
    var count: Int { handlers.count }

    var all: [LiveHandler] { Array(handlers.values) }

    /// Those that are neither refused nor being closed.
    var served: Int { handlers.values.count(where: \.isServed) }

    /// Whether one more may be served.
    var hasRoom: Bool { served < Self.maximum }

    mutating func insert(_ handler: LiveHandler) {
        handlers[ObjectIdentifier(handler)] = handler
    }

    /// Returns whether it was there.
    mutating func remove(_ handler: LiveHandler) -> Bool {
        handlers.removeValue(forKey: ObjectIdentifier(handler)) != nil
    }
}
