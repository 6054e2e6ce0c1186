internal import Model

/// Token buckets by user or address. One that is full is forgotten at the next sweep.
struct BucketTable<Key: Hashable> {
    private var buckets: [Key: TokenBucket] = [:]

    var count: Int { buckets.count }

    /// Takes a token; `nil`: there was one, otherwise how long until there is.
    mutating func take(_ key: Key, _ limit: RateLimit, now: MonotonicTime) -> Duration? {
        if let wait = buckets[key]?.take(limit, now: now) { return wait }
        guard buckets[key] == nil, buckets.count < HubLimits.buckets else { return nil }
        var bucket = TokenBucket(now: now)
        defer { buckets[key] = bucket }
        return bucket.take(limit, now: now)
    }

    mutating func prune(now: MonotonicTime) {
        guard !buckets.isEmpty else { return }
        buckets = buckets.filter { !$0.value.isFull(now: now) }
    }
}

/// The limits that count over all workers.
struct RateLimits {
    private var users = BucketTable<UserName>()
    private var addresses = BucketTable<String>()
    private var connects = BucketTable<String>()

    /// A message of a client; `nil`: it may, otherwise how long to wait.
    mutating func message(
        user: UserName?, address: String, limits: LimitsConfiguration, now: MonotonicTime
    ) -> Duration? {
        if let limit = limits.userRate, let user, let wait = users.take(user, limit, now: now) { return wait }
        if let limit = limits.addressRate, !address.isEmpty { return addresses.take(address, limit, now: now) }
        return nil
    }

    mutating func connect(address: String, limits: LimitsConfiguration, now: MonotonicTime) -> Duration? {
        guard let limit = limits.connectRate, !address.isEmpty else { return nil }
        return connects.take(address, limit, now: now)
    }

    mutating func prune(now: MonotonicTime) {
        users.prune(now: now)
        addresses.prune(now: now)
        connects.prune(now: now)
    }
}
