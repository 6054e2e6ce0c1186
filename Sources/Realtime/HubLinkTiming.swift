/// Times of the hub link that both ends rely on.
package enum HubLinkTiming {
    /// A worker without a link tries again at least this often, so that no new hub begins without it. Connecting to a
    /// local socket that nobody listens on costs little.
    package static let longestReconnectDelay = Duration.milliseconds(100)
    /// A new hub takes no operation before every worker that lived when it was started has registered: what a worker
    /// replays has to find the members of all others. After this time it begins with the workers it has.
    package static let gatherMaximum = Duration.seconds(1)
}
