import Wire

/// `wsctl clients`. The ratio of compression and what was refused for its rate have columns where there is any.
struct ClientScreen {
    private var clients: [(client: ClientInfo, age: Double)] = []

    var count: Int { clients.count }

    /// - Parameter now: seconds since 1970.
    mutating func add(_ client: ClientInfo, now: Double) {
        clients.append((client, now - client.connectedAt))
    }

    func lines(_ style: Style) -> [String] {
        let isCompressed = clients.contains { $0.client.compressionRatio != nil }
        let isLimited = clients.contains { ($0.client.rateLimited ?? 0) > 0 }
        let isResumed = clients.contains { $0.client.resumed == true }
        var columns: [(String, Table.Alignment)] = [
            ("CLIENT", .left), ("WORKER", .right), ("ADDRESS", .left), ("USER", .left), ("SINCE", .right),
            ("IN", .right), ("OUT", .right),
        ]
        if clients.contains(where: { $0.client.averageSize != nil }) { columns.append(("SIZE", .right)) }
        let hasSize = columns.count == 8
        if isCompressed { columns.append(("RATIO", .right)) }
        if isResumed { columns.append(("RESUMED", .left)) }
        if isLimited { columns.append(("LIMITED", .right)) }
        var table = Table(columns + [("QUEUE", .right), ("ROOMS", .left)])
        for (client, age) in clients {
            var row = [
                Table.Cell(client.id), Table.Cell("\(client.worker)"), Table.Cell(client.address),
                Table.Cell(client.user ?? "-"), Table.Cell(Humanized.durationBriefly(age)),
                Table.Cell(Humanized.bytesBriefly(client.bytesIn)), Table.Cell(Humanized.bytesBriefly(client.bytesOut)),
            ]
            if hasSize { row.append(Table.Cell(client.averageSize.map(Humanized.sizeBriefly) ?? "-")) }
            if isCompressed { row.append(Table.Cell(client.compressionRatio.map { Humanized.fixed($0, 2) } ?? "-")) }
            if isResumed { row.append(Table.Cell(client.resumed == true ? "yes" : "no")) }
            if isLimited {
                let limited = client.rateLimited ?? 0
                row.append(Table.Cell("\(limited)", limited > 0 ? .yellow : .plain))
            }
            row.append(Table.Cell(Humanized.bytesBriefly(client.queue), client.queue > 0 ? .yellow : .plain))
            row.append(Table.Cell(client.rooms.isEmpty ? "-" : client.rooms.sorted().joined(separator: ", ")))
            table.add(row)
        }
        return table.lines(style)
    }
}

/// `wsctl user`.
struct UserScreen {
    private let user: String
    private let now: Double
    private var clients: [ClientInfo] = []

    /// - Parameter now: seconds since 1970.
    init(user: String, now: Double) {
        self.user = user
        self.now = now
    }

    mutating func add(_ client: ClientInfo) {
        clients.append(client)
    }

    func lines(_ style: Style) -> [String] {
        let rooms = Set(clients.flatMap(\.rooms)).count
        let workers = Set(clients.map(\.worker)).count
        let heading =
            "\(PlainText.harmless(user)): \(Humanized.counted(clients.count, "connection")) on "
            + "\(Humanized.counted(workers, "worker")), in \(Humanized.counted(rooms, "room"))"
        var lines = [style.paint(heading, .bold)]
        for client in clients.sorted(by: { $0.connectedAt < $1.connectedAt }) {
            var parts = [
                "worker \(client.worker)", client.address, client.dialect,
                "for \(Humanized.duration(now - client.connectedAt))",
            ]
            if client.resumed == true { parts.append("resumed") }
            parts.append("\(Humanized.count(client.messagesIn)) in, \(Humanized.count(client.messagesOut)) out")
            if client.queue > 0 { parts.append("\(Humanized.bytes(client.queue)) waiting") }
            if let agent = client.userAgent { parts.append(agent) }
            lines.append("")
            lines.append(
                style.paint(PlainText.harmless(client.id), .cyan) + "  "
                    + PlainText.harmless(parts.joined(separator: ", ")))
            for room in client.rooms.sorted() { lines.append("  \(PlainText.harmless(room))") }
            if client.rooms.isEmpty { lines.append("  " + style.paint("in no room", .faint)) }
        }
        return lines
    }
}

/// `wsctl rooms`. What was delivered and positions have columns where there is any.
struct RoomScreen {
    private var rooms: [RoomInfo] = []

    var count: Int { rooms.count }

    mutating func add(_ room: RoomInfo) {
        rooms.append(room)
    }

    /// The fullest first.
    func lines(_ style: Style) -> [String] {
        let isCounted = rooms.contains { $0.messages != nil }
        let isKept = rooms.contains { $0.offset != nil }
        var columns: [(String, Table.Alignment)] = [("MEMBERS", .right)]
        if isCounted { columns += [("MESSAGES", .right), ("BYTES", .right), ("SIZE", .right)] }
        if isKept { columns.append(("OFFSET", .right)) }
        var table = Table(columns + [("ROOM", .left)])
        for room in rooms.sorted(by: { ($1.members, $0.room) < ($0.members, $1.room) }) {
            var row = [Table.Cell("\(room.members)")]
            if isCounted {
                row.append(Table.Cell(room.messages.map { "\($0)" } ?? "-"))
                row.append(Table.Cell(room.bytes.map(Humanized.bytesBriefly) ?? "-"))
                row.append(Table.Cell(Self.size(room)))
            }
            if isKept { row.append(Table.Cell(room.offset.map { "\($0)" } ?? "-")) }
            table.add(row + [Table.Cell(room.room)])
        }
        return table.lines(style)
    }

    private static func size(_ room: RoomInfo) -> String {
        guard let messages = room.messages, messages > 0, let bytes = room.bytes else { return "-" }
        return Humanized.sizeBriefly(Double(bytes) / Double(messages))
    }
}

/// `wsctl config`.
enum ConfigurationScreen {
    /// Columns of a value where others stand beside it.
    private static let valueMax = 60

    static func lines(_ entries: [ConfigurationEntry], _ style: Style) -> [String] {
        if entries.count == 1, entries[0].value.count > valueMax { return whole(entries[0], style) }
        var table = Table([("KEY", .left), ("VALUE", .left), ("RELOAD", .left), ("FROM", .left)])
        for entry in entries {
            let isDefault = entry.source == "default"
            let harmless = PlainText.harmless(entry.value)
            let value = PlainText.cut(harmless, to: valueMax)
            table.add([
                Table.Cell(entry.key), Table.Cell(value, isDefault ? .plain : .bold),
                Table.Cell(entry.reloadable ? "yes" : "no"), Table.Cell(entry.source, isDefault ? .faint : .plain),
            ])
        }
        return table.lines(style)
    }

    /// A long value by itself; of a list of mappings each in a line of its own.
    private static func whole(_ entry: ConfigurationEntry, _ style: Style) -> [String] {
        let value = PlainText.harmless(entry.value).replacing("}, {", with: "},\n{")
        let reload = entry.reloadable ? "a reload can change it" : "a reload cannot change it"
        return ["\(entry.key), from \(entry.source); \(reload):"]
            + value.split(separator: "\n").map { style.paint("  \($0)", .bold) }
    }

    /// The entries under a key: that key itself, or the keys of a section (`workers`).
    static func selected(_ entries: [ConfigurationEntry], key: String?) -> [ConfigurationEntry] {
        guard let key else { return entries }
        return entries.filter { $0.key == key || $0.key.hasPrefix(key + ".") }
    }
}
