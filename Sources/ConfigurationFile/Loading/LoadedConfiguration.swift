import Model

/// A configuration that passed every check, and where each of its values came from.
package struct LoadedConfiguration: Codable, Sendable, Equatable {
    package var configuration: WsdConfiguration
    /// One for each key, in the order of `wsd.yaml`.
    package var entries: [LoadedEntry]
    /// Absolute path of the file that was read; `nil`: there was none.
    package var file: String?
    /// Sentences for the log: nothing that stops the service, but probably not what somebody meant.
    package var warnings: [String]
}

/// The effective value of one key.
package struct LoadedEntry: Codable, Sendable, Equatable {
    package var key: String
    /// As it would stand in `wsd.yaml`; a set secret as `********`.
    package var value: String
    /// `default`, `wsd.yaml:12`, `environment WSD_PORT`, `--port`.
    package var source: String
    /// Whether a reload can change it.
    package var reloadable: Bool
    package var secret: Bool
}
