/// The version of both programs. Roles of one service always share it: children are spawned from the supervisor's image.
package enum WsdVersion {
    /// Semantic version (semver.org), without a leading `v`.
    package static let current = "0.1.0"
    /// Version of the messages between supervisor, hub and workers. A child that speaks another one is refused.
    package static let link = 2
}
