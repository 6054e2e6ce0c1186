import DequeModule
import Model

/// How fast a counter grows, over the last seconds.
struct RateMeter: Sendable {
    /// The time looked back.
    static let window = Duration.seconds(5)
    /// Most samples kept.
    static let maxSamples = 16

    private var samples: Deque<(time: MonotonicTime, value: Double)> = []

    mutating func add(_ value: Double, at time: MonotonicTime) {
        // A sample at the same moment or before the last says nothing about a rate.
        if let last = samples.last, time <= last.time { return }
        samples.append((time, value))
        while samples.count > 2, let second = samples.dropFirst().first,
            time - second.time >= Self.window || samples.count > Self.maxSamples
        {
            samples.removeFirst()
        }
    }

    /// Growth a second; `nil` before the second sample. 0 when the last sample is older than twice the window.
    func rate(at now: MonotonicTime) -> Double? {
        guard let first = samples.first, let last = samples.last, last.time > first.time else { return nil }
        if now - last.time > Self.window * 2 { return 0 }
        return max(0, last.value - first.value) / (last.time - first.time).inSeconds
    }
}
