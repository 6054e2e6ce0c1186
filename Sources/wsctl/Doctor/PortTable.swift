/// Listening TCP sockets of this network namespace.
struct PortTable: Equatable {
    struct Listener: Equatable, Hashable {
        var port: UInt16
        var inode: UInt64
    }

    private(set) var listeners: [Listener] = []

    /// Adds what `/proc/net/tcp` or `/proc/net/tcp6` says (proc(5)); lines it cannot read are left out.
    mutating func add(_ text: String) {
        for line in text.split(separator: "\n").dropFirst() {
            let fields = line.split(separator: " ")
            // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode; state 0A is LISTEN.
            guard fields.count > 9, fields[3] == "0A", let colon = fields[1].lastIndex(of: ":"),
                let port = UInt16(fields[1][fields[1].index(after: colon)...], radix: 16), let inode = UInt64(fields[9])
            else { continue }
            listeners.append(Listener(port: port, inode: inode))
        }
    }

    func listeners(on port: UInt16) -> [Listener] { listeners.filter { $0.port == port } }
}

/// A process that holds a socket.
struct SocketHolder: Equatable {
    var pid: Int32
    /// `comm` of proc(5).
    var name: String
}
