import Model
import NIOCore

/// Which calls of one hook are made and which wait: a bounded number of each.
struct WebhookQueue<Item> {
    enum Entry: Equatable {
        case start
        case wait
        /// As many as may wait do.
        case full
    }

    private let concurrency: Int
    private let capacity: Int
    private(set) var running = 0
    private var items = CircularBuffer<Item>()

    init(_ hook: WebhookConfiguration) {
        concurrency = hook.concurrency
        capacity = hook.queue
    }

    var waiting: Int { items.count }

    mutating func enter(_ item: Item) -> Entry {
        if running < concurrency {
            running += 1
            return .start
        }
        guard items.count < capacity else { return .full }
        items.append(item)
        return .wait
    }

    /// A started one has ended. The next takes its place: start it.
    mutating func ended() -> Item? {
        guard let next = items.popFirst() else {
            running -= 1
            return nil
        }
        return next
    }

    /// Takes out all that wait.
    mutating func drain() -> [Item] {
        defer { items.removeAll() }
        return Array(items)
    }
}

/// Waits before further attempts: doubled each time, of which a random half is taken off.
enum WebhookBackoff {
    static let first = Duration.milliseconds(100)
    static let longest = Duration.seconds(30)

    /// - Parameters:
    ///   - retry: 1 for the first further attempt.
    ///   - random: 0..<1.
    static func delay(retry: Int, random: Double) -> Duration {
        let whole = min(first * (1 << min(max(retry - 1, 0), 20)), longest)
        return whole - whole * (random / 2)
    }
}
