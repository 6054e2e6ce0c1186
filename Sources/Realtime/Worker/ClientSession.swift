package import Model

/// What a worker knows of one client, whatever its transport and dialect: identity, figures, limits, times.
///
/// Small while the client is idle and anonymous: what few clients need stands in ``Details``.
package struct ClientSession: Sendable {
    /// Requests of one client that may wait for an answer at once; the driver takes no further command then.
    package static let maxUnanswered = 1024
    /// A pause after which refused messages no longer count as being in a row.
    package static let abusePause = Duration.seconds(1)
    /// A client is warned this long before its identity ends, or a tenth of its life before if that is less.
    package static let warningTime = Duration.seconds(60)

    /// What stands beside a session only where it is needed.
    struct Details: Sendable {
        var access: ClientAccess?
        var expiresAt: MonotonicTime?
        var rates = RoomRates()
    }

    package let id: ClientID
    /// The secret by which the client is recognised when it comes back.
    package let session: SessionID
    package private(set) var messagesIn = 0
    package private(set) var messagesOut = 0
    package private(set) var bytesIn = 0
    package private(set) var bytesOut = 0
    /// Errors told to the client.
    package private(set) var errors: UInt32 = 0
    /// Messages refused because of a rate limit.
    package private(set) var rateLimited: UInt32 = 0
    private var unansweredCount: UInt32 = 0
    private var refusedInRow: UInt32 = 0
    private var refusedAt = MonotonicTime.zero
    private var limiter: TokenBucket
    /// When ``timeElapsed(now:)`` is next of use; `Int64.max`: never.
    private var dueAt = MonotonicTime(nanoseconds: .max)
    /// None or one: an array costs a word while it is empty, and is a value.
    private var box: [Details] = []

    package init(id: ClientID, session: SessionID, now: MonotonicTime) {
        self.id = id
        self.session = session
        limiter = TokenBucket(now: now)
    }

    // MARK: Figures

    /// Counts a message of the client, as it came from the transport.
    package mutating func received(bytes: Int) {
        messagesIn &+= 1
        bytesIn &+= bytes
    }

    package mutating func sent(messages: Int, bytes: Int) {
        messagesOut &+= messages
        bytesOut &+= bytes
    }

    package mutating func errorSent() {
        errors &+= 1
    }

    /// Requests that wait for an answer.
    package var unanswered: Int { Int(unansweredCount) }

    /// Somebody else (the hub, a webhook) was asked, and the client waits for the answer.
    package mutating func requestAccepted() {
        unansweredCount &+= 1
    }

    /// That answer, good or bad, has been given.
    package mutating func requestAnswered() {
        if unansweredCount > 0 { unansweredCount -= 1 }
    }

    // MARK: Identity

    /// It is known who the client is, or at least that it may be here.
    package var isAuthenticated: Bool { box.first?.access != nil }

    /// `nil`: anonymous.
    package var user: UserName? { box.first?.access?.user }

    /// How long the identity is good for; `nil`: for ever.
    package func expiresIn(now: MonotonicTime) -> Duration? {
        box.first?.expiresAt.map { max(.zero, $0 - now) }
    }

    /// Asked for an identity until then; for a client that has none.
    mutating func awaitIdentity(until deadline: MonotonicTime) {
        dueAt = deadline
    }

    /// `life`: how long the identity is good for; `nil`: for ever.
    mutating func identified(_ access: ClientAccess, life: Duration?, now: MonotonicTime) {
        makeDetails()
        box[0].access = access
        box[0].expiresAt = life.map { now + $0 }
        guard let life else {
            dueAt = MonotonicTime(nanoseconds: .max)
            return
        }
        dueAt = now + life - min(Self.warningTime, life / 10)
    }

    /// Whether the identity may do everywhere what it may be granted in rooms.
    var isGrantedEverything: Bool { box.first?.access?.grants.coversEverything ?? false }

    /// ``ClientAccess/decision(on:generation:decide:)`` of the identity; `nil`: there is none.
    mutating func decision(
        on room: RoomName, generation: Int, decide: (UserName?, CompiledGrants) -> ClientAccess.Decision
    ) -> ClientAccess.Decision? {
        guard !box.isEmpty else { return nil }
        return box[0].access?.decision(on: room, generation: generation, decide: decide)
    }

    private mutating func makeDetails() {
        if box.isEmpty { box.append(Details()) }
    }
}

// MARK: - Limits

/// Whether a client's command may be carried out.
package enum Admission: Hashable, Sendable {
    case granted
    case refused(ClientRefusal)
    /// It goes on sending far above its limit: close it (4007).
    case abusive
}

extension ClientSession {
    /// Takes a message into account; `rate` `nil`: no limit.
    mutating func take(_ rate: RateLimit?, abuseThreshold: Int, now: MonotonicTime) -> Admission {
        guard let rate, let wait = limiter.take(rate, now: now) else { return .granted }
        return overLimit(wait, abuseThreshold: abuseThreshold, now: now)
    }

    /// The same for the limit of one room.
    mutating func take(_ rate: RateLimit, of room: RoomName, abuseThreshold: Int, now: MonotonicTime) -> Admission {
        guard !rate.isOff else { return .granted }
        makeDetails()
        guard let wait = box[0].rates.take(room, rate, now: now) else { return .granted }
        return overLimit(wait, abuseThreshold: abuseThreshold, now: now)
    }

    /// Somebody found the client above a limit, here or in the hub.
    mutating func overLimit(_ retryAfter: Duration?, abuseThreshold: Int, now: MonotonicTime) -> Admission {
        rateLimited &+= 1
        refusedInRow = now - refusedAt < Self.abusePause ? refusedInRow &+ 1 : 1
        refusedAt = now
        if Int(refusedInRow) > abuseThreshold { return .abusive }
        return .refused(ClientRefusal(.rateLimited, retryAfter: retryAfter))
    }
}

// MARK: - Time

/// What the passing of time asks of a client's session.
package enum SessionEvent: Hashable, Sendable {
    /// It has not said who it is: close it (4001).
    case identityOverdue
    /// Tell it that its identity ends in that time.
    case expiring(in: Duration)
    /// Its identity has ended: close it (4002).
    case expired
}

extension ClientSession {
    /// When ``timeElapsed(now:)`` is next of use; `nil`: never.
    package var nextDeadline: MonotonicTime? { dueAt.nanoseconds == .max ? nil : dueAt }

    /// May be called at any time; too early does no harm. Each event comes once.
    package mutating func timeElapsed(now: MonotonicTime) -> SessionEvent? {
        guard now >= dueAt else { return nil }
        guard isAuthenticated else {
            dueAt = MonotonicTime(nanoseconds: .max)
            return .identityOverdue
        }
        guard let end = box.first?.expiresAt, now < end else {
            dueAt = MonotonicTime(nanoseconds: .max)
            return .expired
        }
        dueAt = end
        return .expiring(in: end - now)
    }
}

/// One client's token buckets of rooms that have a rate of their own.
struct RoomRates: Sendable {
    /// Rooms remembered. Beyond, full buckets are forgotten, then the fullest.
    static let maxRooms = 32

    private var buckets: [(room: RoomName, bucket: TokenBucket)] = []

    var count: Int { buckets.count }

    /// As ``TokenBucket/take(_:now:)``.
    mutating func take(_ room: RoomName, _ rate: RateLimit, now: MonotonicTime) -> Duration? {
        if let index = buckets.firstIndex(where: { $0.room == room }) {
            return buckets[index].bucket.take(rate, now: now)
        }
        if buckets.count >= Self.maxRooms { buckets.removeAll { $0.bucket.isFull(now: now) } }
        if buckets.count >= Self.maxRooms,
            let fullest = buckets.indices.min(by: { buckets[$0].bucket.isFuller(than: buckets[$1].bucket) })
        {
            buckets.remove(at: fullest)
        }
        var bucket = TokenBucket(now: now)
        let wait = bucket.take(rate, now: now)
        buckets.append((room, bucket))
        return wait
    }
}
