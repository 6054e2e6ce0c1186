import WsdClient

/// What was published, acknowledged and seen. Confined to the clients' one event loop.
final class ChaosBook: @unchecked Sendable {
    private enum Fate {
        case pending, acknowledged, unanswered
    }

    private struct Sent {
        var fate = Fate.pending
        var at: UInt64
        /// Members that have seen it.
        var seen = 0
    }

    private struct Member {
        var epoch: String?
        var offset: UInt64 = 0
        var hasJoined = false
        var downSince: UInt64?
        var longestGap: UInt64 = 0
    }

    private let clients: Int
    private let rooms: Int
    private var sent: [[Sent]]
    private var members: [Member]
    /// For each client, which (publisher's place in the room, message) it has seen.
    private var seen: [[[Bool]]]
    /// For each room, which message an offset stands for.
    private var named: [[UInt64: UInt64]]
    private var doubled = 0
    private var outOfOrder = 0
    private var renamed = 0
    private var epochs = 0
    private var gaps = 0
    private var longestLatency: UInt64 = 0
    private(set) var joined = 0

    init(clients: Int, rooms: Int) {
        self.clients = clients
        self.rooms = rooms
        sent = Array(repeating: [], count: clients)
        members = Array(repeating: Member(), count: clients)
        let places = (clients + rooms - 1) / rooms
        seen = Array(repeating: Array(repeating: [], count: places), count: clients)
        named = Array(repeating: [:], count: rooms)
    }

    func nextMessage(client: Int, at time: UInt64) -> Int {
        sent[client].append(Sent(at: time))
        return sent[client].count - 1
    }

    func acknowledged(client: Int, message: Int) { sent[client][message].fate = .acknowledged }

    func unanswered(client: Int, message: Int) { sent[client][message].fate = .unanswered }

    func happened(_ event: WsdEvent, client: Int, at time: UInt64) {
        switch event {
        case .joined:
            if !members[client].hasJoined {
                members[client].hasJoined = true
                joined += 1
            }
            if let since = members[client].downSince {
                members[client].longestGap = max(members[client].longestGap, time - since)
                members[client].downSince = nil
            }
        case .disconnected:
            if members[client].hasJoined, members[client].downSince == nil { members[client].downSince = time }
        case .message(let message):
            took(message, client: client, at: time)
        case .gap:
            gaps += 1
        case .joinFailed(_, let error):
            print("client \(client) was refused its room: \(error)")
        case .stopped, .connected, .left, .other:
            break
        }
    }

    private func took(_ message: WsdMessage, client: Int, at time: UInt64) {
        let numbers = message.data.dropFirst().dropLast().split(separator: ",").compactMap { Int($0) }
        guard numbers.count == 2, sent.indices.contains(numbers[0]), sent[numbers[0]].indices.contains(numbers[1])
        else {
            outOfOrder += 1
            return
        }
        let (publisher, number) = (numbers[0], numbers[1])
        if members[client].epoch != message.epoch {
            if members[client].epoch != nil { epochs += 1 }
            members[client].epoch = message.epoch
        } else if message.offset <= members[client].offset {
            outOfOrder += 1
        }
        members[client].offset = message.offset
        let name = UInt64(publisher) << 32 | UInt64(number)
        let room = client % rooms
        if let other = named[room].updateValue(name, forKey: message.offset), other != name { renamed += 1 }
        let place = publisher / rooms
        while seen[client][place].count <= number { seen[client][place].append(false) }
        if seen[client][place][number] {
            doubled += 1
        } else {
            seen[client][place][number] = true
            sent[publisher][number].seen += 1
            longestLatency = max(longestLatency, time - sent[publisher][number].at)
        }
    }

    /// Members of a client's room, itself included.
    private func size(ofRoomOf client: Int) -> Int {
        let room = client % rooms
        return (clients - room + rooms - 1) / rooms
    }

    /// Everything has been answered, and what was acknowledged has been seen by all.
    var isSettled: Bool {
        (0..<clients).allSatisfy { client in
            sent[client].allSatisfy { message in
                switch message.fate {
                case .pending: false
                case .unanswered: true
                case .acknowledged: message.seen == size(ofRoomOf: client)
                }
            }
        }
    }

    func report() -> ChaosReport {
        var report = ChaosReport()
        for client in 0..<clients {
            for message in sent[client] {
                report.sent += 1
                guard message.fate == .acknowledged else { continue }
                report.acknowledged += 1
                report.lost += size(ofRoomOf: client) - message.seen
            }
        }
        report.doubled = doubled
        report.outOfOrder = outOfOrder
        report.renamed = renamed
        report.epochs = epochs
        report.gaps = gaps
        report.longestGap = Double(members.map(\.longestGap).max() ?? 0) / 1e9
        report.longestLatency = Double(longestLatency) / 1e9
        return report
    }
}

struct ChaosReport {
    var sent = 0
    var acknowledged = 0
    /// Acknowledged publications that a member did not see, counted for each member.
    var lost = 0
    var doubled = 0
    var outOfOrder = 0
    /// Offsets that stood for two messages.
    var renamed = 0
    var epochs = 0
    var gaps = 0
    var longestGap = 0.0
    var longestLatency = 0.0

    var isGood: Bool {
        sent > 0 && acknowledged * 100 > sent * 95 && lost + doubled + outOfOrder + renamed + epochs + gaps == 0
    }

    func text(recovered: Int, notRecovered: Int) -> String {
        let share = sent == 0 ? 0 : Double(acknowledged) / Double(sent) * 100
        return """
            sent            \(sent)
            acknowledged    \(acknowledged) (\(Self.rounded(share)) %)
            lost            \(lost)
            doubled         \(doubled)
            out of order    \(outOfOrder)
            offsets reused  \(renamed)
            epochs changed  \(epochs)
            gaps told       \(gaps)
            resumed         \(recovered), not \(notRecovered)
            longest a client was away   \(Self.rounded(longestGap)) s
            longest way of a message    \(Self.rounded(longestLatency)) s
            \(isGood ? "good" : "NOT GOOD")
            """
    }

    private static func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
