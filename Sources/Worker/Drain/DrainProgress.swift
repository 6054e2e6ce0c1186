import Model
import NIOCore

/// A drain that is under way.
struct DrainProgress {
    var plan: DrainPlan
    /// When accepting stopped.
    let start: MonotonicTime
    /// The next look at the plan.
    var step: Scheduled<Void>?
    /// When the number of remaining clients was last reported.
    var reportedAt: MonotonicTime?
    /// Clients, gates and HTTP connections were cut off because the deadline had passed.
    var isOverdue = false
}
