import Model
import Wire

/// One piece of the answer to a question put to several children.
enum ChildAnswer: Sendable, Equatable {
    case page(ChildReply, from: String)
    /// This child gave no (complete) answer in time, or ended.
    case silent(String)
    /// Whoever asked reads too slowly; the rest is not kept for it.
    case overflow
}

/// Questions that wait for answers of children. Confined to the event loop.
struct ChildQueries {
    /// Longest wait for a child's next page.
    static let deadline = Duration.seconds(5)
    /// Pages kept for a slow reader.
    static let maxPages = 4096
    /// Questions open at a time.
    static let maxOpen = 64

    private struct Query {
        var waiting: [InstanceID: String]
        var deadline: MonotonicTime
        var continuation: AsyncStream<ChildAnswer>.Continuation
    }

    private var queries: [Int: Query] = [:]
    /// Numbers of questions are given once, over takeovers, too: an answer may be on its way.
    var lastID = 0

    var isFull: Bool { queries.count >= Self.maxOpen }

    /// Opens a question to the named instances.
    mutating func open(_ targets: [InstanceID: String], now: MonotonicTime) -> (
        id: Int, answers: AsyncStream<ChildAnswer>
    ) {
        let (stream, continuation) = AsyncStream.makeStream(
            of: ChildAnswer.self, bufferingPolicy: .bufferingOldest(Self.maxPages))
        lastID += 1
        if targets.isEmpty {
            continuation.finish()
        } else {
            queries[lastID] = Query(waiting: targets, deadline: now + Self.deadline, continuation: continuation)
        }
        return (lastID, stream)
    }

    /// A page arrived. An unknown `id` (too late, or invented) is ignored.
    mutating func replied(_ instance: InstanceID, id: Int, page: ChildReply, more: Bool, now: MonotonicTime) {
        guard var query = queries[id], let name = query.waiting[instance] else { return }
        query.deadline = now + Self.deadline
        switch query.continuation.yield(.page(page, from: name)) {
        case .enqueued(let room) where room > 1: break
        case .enqueued, .dropped:
            query.continuation.yield(.overflow)
            query.continuation.finish()
            queries[id] = nil
            return
        case .terminated:
            queries[id] = nil
            return
        @unknown default: break
        }
        if !more { query.waiting[instance] = nil }
        settle(id, query)
    }

    /// The child will not answer any more.
    mutating func ended(_ instance: InstanceID) {
        for (id, var query) in queries {
            guard let name = query.waiting.removeValue(forKey: instance) else { continue }
            query.continuation.yield(.silent(name))
            settle(id, query)
        }
    }

    /// The question could not be put to this one.
    mutating func notAsked(_ instance: InstanceID, id: Int) {
        guard var query = queries[id], let name = query.waiting.removeValue(forKey: instance) else { return }
        query.continuation.yield(.silent(name))
        settle(id, query)
    }

    /// Gives up on those that are silent for too long.
    mutating func timePassed(now: MonotonicTime) {
        for (id, query) in queries where query.deadline <= now {
            for name in query.waiting.values.sorted() { query.continuation.yield(.silent(name)) }
            query.continuation.finish()
            queries[id] = nil
        }
    }

    /// The service ends.
    mutating func closeAll() {
        for query in queries.values { query.continuation.finish() }
        queries = [:]
    }

    private mutating func settle(_ id: Int, _ query: Query) {
        if query.waiting.isEmpty {
            query.continuation.finish()
            queries[id] = nil
        } else {
            queries[id] = query
        }
    }
}
