/// Times of the hub link that both ends rely on.
package enum HubLinkTiming {
    /// A worker without a link tries again this often. Connecting to a local socket that nobody listens on costs
    /// microseconds, so there is no backoff.
    package static let reconnectDelay = Duration.milliseconds(50)
    /// A new hub takes no operation before this much time, so that every worker can register first: what a worker
    /// replays has to find the members of all others. A multiple of ``reconnectDelay``.
    package static let gatherMinimum = Duration.milliseconds(200)
    /// After this time it starts with the workers it has.
    package static let gatherMaximum = Duration.seconds(1)
}
