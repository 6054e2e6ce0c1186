import ControlClient
import Wire

/// Bodies of calls of the backend's API.
enum BackendBody {
    /// An object of texts, without those that are `nil`, and of `data`, JSON text that stands in it as it is.
    static func object(_ texts: [(name: String, text: String?)], data: String) -> [UInt8] {
        let set = texts.reduce(into: [:]) { $0[$1.name] = $1.text }
        let head = set.isEmpty ? Array("{".utf8) : ControlClient.encode(set).dropLast() + Array(",".utf8)
        return head + Array("\"data\":\(data)}".utf8)
    }
}

/// What became of `wsctl publish`.
struct PublicationAnswer: Decodable, Equatable {
    var room: String
    var epoch: String?
    var offset: UInt64?
    var duplicate: Bool?

    var sentence: String {
        let place = offset.map { offset in " as offset \(offset)\(epoch.map { " of epoch \($0)" } ?? "")" } ?? ""
        let room = PlainText.harmless(room)
        guard duplicate == true else { return "Published to \(room)\(PlainText.harmless(place))." }
        return "Not delivered again: \(room) has a message of this id\(PlainText.harmless(place))."
    }
}

/// `wsctl history`.
struct HistoryScreen {
    private let answer: RawObject
    private let messages: [RawObject]

    init(_ bytes: [UInt8]) throws(ControlClientError) {
        answer = try RawObject(bytes)
        messages = try answer.objects("messages")
    }

    /// What the table does not say, for what was asked for.
    func remark(limit: Int, from: UInt64?, isReversed: Bool) -> String? {
        if let next { return "There are more: --from \(next)\(isReversed ? " --reverse" : "")." }
        guard messages.isEmpty else { return nil }
        guard limit > 0 else {
            let place = "The newest offset is \(answer.raw("offset") ?? "0") of epoch \(answer.text("epoch") ?? "-")."
            return PlainText.harmless(place)
        }
        return "No message is kept\(from == nil ? "" : " there")."
    }

    /// The offset to go on from, where there are more.
    var next: Int? { answer.isTrue("more") ? messages.last?.integer("offset") : nil }

    /// - Parameter time: seconds since 1970 as text in the reader's time zone.
    func lines(_ style: Style, time: (Double) -> String) -> [String] {
        guard !messages.isEmpty else { return [] }
        var table = Table([("OFFSET", .right), ("TIME", .left), ("FROM", .left), ("DATA", .left)])
        for message in messages {
            let sender = message.object("from")
            table.add([
                Table.Cell(message.raw("offset") ?? "-"),
                Table.Cell(message.number("time").map { time($0 / 1000) } ?? "-", .faint),
                Table.Cell(sender?.text("user") ?? sender?.text("client") ?? "-"),
                Table.Cell(message.raw("data") ?? "-"),
            ])
        }
        return table.lines(style)
    }
}

/// `wsctl presence`.
struct PresenceScreen {
    private let members: Int
    private let clients: [RawObject]

    init(_ bytes: [UInt8]) throws(ControlClientError) {
        let answer = try RawObject(bytes)
        members = answer.integer("members") ?? 0
        clients = try answer.objects("clients")
    }

    /// What the table does not say.
    var remark: String? {
        if members == 0 { return "Nobody is there." }
        return clients.count < members
            ? "\(Humanized.count(clients.count)) of \(Humanized.count(members)) are shown." : nil
    }

    func lines(_ style: Style) -> [String] {
        guard !clients.isEmpty else { return [] }
        var table = Table([("CLIENT", .left), ("USER", .left), ("INFO", .left)])
        for client in clients {
            table.add([
                Table.Cell(client.text("client") ?? "-", .cyan), Table.Cell(client.text("user") ?? "-"),
                Table.Cell(client.raw("info") ?? "-"),
            ])
        }
        return table.lines(style)
    }
}
