/// What is done when something happens: an entry of `onEvent`.
package struct EventHookConfiguration: Equatable, Sendable, Codable {
    /// What it is for; at least one.
    package var events: [EventPattern] = []
    /// Only events of these programs; empty: all events.
    package var programs: [String] = []
    /// A program and its arguments, which gets the event; empty: `url` is called.
    package var run: [String] = []
    /// `http:` or `https:`, gets the event by POST.
    package var url: String?
    /// Events above it are left out, and counted.
    package var rateLimit = RateLimit(perSecond: 20 / 60, burst: 20)
    /// A run is killed, a call given up after it; 100 ms…1 h.
    package var timeout = Duration.seconds(30)

    package init() {}
}
