package import Model

/// Decides when a slot whose process ended gets the next one. Keeps no clock and no count of its own.
package struct RestartPolicy: Codable, Sendable, Equatable {
    package var configuration: RestartConfiguration
    /// Retried for ever, with a delay of at most ``FleetLimits/hubMaxDelay``: the hub.
    package var neverGivesUp: Bool

    /// Bounds the computation for factors next to 1; any other reaches its cap long before.
    private static let maxSteps = 1000

    package init(configuration: RestartConfiguration, neverGivesUp: Bool) {
        self.configuration = configuration
        self.neverGivesUp = neverGivesUp
    }

    /// - Parameters:
    ///   - readyFor: how long the process had been READY; `nil` when it never was.
    ///   - misconfigured: it said that its configuration is wrong (exit 78): trying again cannot help.
    ///   - unstableEnds: unstable ends in a row before this one; brought up to date here.
    package func decide(
        readyFor: Duration?, misconfigured: Bool, unstableEnds: inout Int, random: inout SplitMix64
    ) -> RestartDecision {
        if misconfigured, !neverGivesUp {
            return .giveUp(.misconfigured)
        }
        if let readyFor, readyFor >= configuration.stableAfter, !misconfigured {
            unstableEnds = 0
            return .atOnce
        }
        // Saturates: the hub may fail for years.
        unstableEnds = unstableEnds == .max ? .max : unstableEnds + 1
        if unstableEnds > configuration.maxUnstable, !neverGivesUp {
            return .giveUp(.tooManyUnstableEnds(unstableEnds))
        }
        let longest = longestDelay(afterUnstableEnds: unstableEnds)
        let shortest = longest.nanoseconds / 2
        return .after(.nanoseconds(Int64.random(in: shortest...max(shortest, longest.nanoseconds), using: &random)))
    }

    /// `initialDelay` × `factor`^(ends − 1), capped. The delay taken lies between half of it and all of it.
    package func longestDelay(afterUnstableEnds ends: Int) -> Duration {
        let cap = neverGivesUp ? min(configuration.maxDelay, FleetLimits.hubMaxDelay) : configuration.maxDelay
        var delay = max(configuration.initialDelay.inSeconds, 0)
        var remaining = min(ends, Self.maxSteps)
        while remaining > 1, delay < cap.inSeconds, configuration.factor > 1 {
            delay *= configuration.factor
            remaining -= 1
        }
        return delay < cap.inSeconds ? .nanoseconds(Int64(delay * 1e9)) : cap
    }
}

package enum RestartDecision: Codable, Sendable, Equatable {
    case atOnce
    case after(Duration)
    case giveUp(GiveUpReason)
}

package enum GiveUpReason: Codable, Sendable, Equatable, CustomStringConvertible {
    case tooManyUnstableEnds(Int)
    /// Exit 78.
    case misconfigured

    package var description: String {
        switch self {
        case .tooManyUnstableEnds(let count): "\(count) unstable ends in a row"
        case .misconfigured: "configuration"
        }
    }
}
