import Wire

/// `wsctl clients`.
struct ClientScreen {
    private var table = Table([
        ("CLIENT", .left), ("WORKER", .right), ("ADDRESS", .left), ("USER", .left), ("SINCE", .right), ("IN", .right),
        ("OUT", .right), ("QUEUE", .right), ("ROOMS", .left),
    ])
    private(set) var count = 0

    /// - Parameter now: seconds since 1970.
    mutating func add(_ client: ClientInfo, now: Double) {
        count += 1
        table.add([
            Table.Cell(client.id),
            Table.Cell("\(client.worker)"),
            Table.Cell(client.address),
            Table.Cell(client.user ?? "-"),
            Table.Cell(Humanized.durationBriefly(now - client.connectedAt)),
            Table.Cell(Humanized.bytesBriefly(client.bytesIn)),
            Table.Cell(Humanized.bytesBriefly(client.bytesOut)),
            Table.Cell(Humanized.bytesBriefly(client.queue), client.queue > 0 ? .yellow : .plain),
            Table.Cell(client.rooms.isEmpty ? "-" : client.rooms.sorted().joined(separator: ", ")),
        ])
    }

    func lines(_ style: Style) -> [String] { table.lines(style) }
}

/// `wsctl rooms`.
struct RoomScreen {
    private var rooms: [RoomInfo] = []

    var count: Int { rooms.count }

    mutating func add(_ room: RoomInfo) {
        rooms.append(room)
    }

    /// The fullest first.
    func lines(_ style: Style) -> [String] {
        var table = Table([("MEMBERS", .right), ("ROOM", .left)])
        for room in rooms.sorted(by: { ($1.members, $0.room) < ($0.members, $1.room) }) {
            table.add([Table.Cell("\(room.members)"), Table.Cell(room.room)])
        }
        return table.lines(style)
    }
}

/// `wsctl config`.
enum ConfigurationScreen {
    static func lines(_ entries: [ConfigurationEntry], _ style: Style) -> [String] {
        var table = Table([("KEY", .left), ("VALUE", .left), ("RELOAD", .left), ("FROM", .left)])
        for entry in entries {
            let isDefault = entry.source == "default"
            table.add([
                Table.Cell(entry.key), Table.Cell(entry.value, isDefault ? .plain : .bold),
                Table.Cell(entry.reloadable ? "yes" : "no"), Table.Cell(entry.source, isDefault ? .faint : .plain),
            ])
        }
        return table.lines(style)
    }

    /// The entries under a key: that key itself, or the keys of a section (`workers`).
    static func selected(_ entries: [ConfigurationEntry], key: String?) -> [ConfigurationEntry] {
        guard let key else { return entries }
        return entries.filter { $0.key == key || $0.key.hasPrefix(key + ".") }
    }
}
