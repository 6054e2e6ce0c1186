package struct HistoryConfiguration: Equatable, Sendable, Codable {
    package var store = HistoryStoreKind.sqlite
    /// Folder of the database; `nil`: `$STATE_DIRECTORY`, else `/var/lib/wsd` for root and `$XDG_STATE_HOME/wsd` or
    /// `~/.local/state/wsd` for others. Cannot be changed by a reload.
    package var directory: String?
    /// A message id is recognised again for this long, also beyond `size`; 1 s…24 h.
    package var idempotencyWindow = Duration.seconds(300)
    /// Bytes of messages that one join's answer may bring at once; 16 KiB…16 MiB. The rest follows as the client reads.
    package var recoveryPage = 256 * 1024

    package init() {}
}

package enum HistoryStoreKind: String, Sendable, Codable, CaseIterable {
    /// Lost with the hub's process.
    case memory
    case sqlite
}

extension HistoryConfiguration {
    /// Folder of the database; `nil`: nothing says where (no home, and not root).
    ///
    /// - Parameters:
    ///   - environment: the process's; empty and relative values count as unset.
    ///   - uid: the effective user id.
    package func stateDirectory(environment: [String: String], uid: UInt32) -> String? {
        func absolute(_ name: String) -> String? { environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil } }
        func inside(_ folder: String, _ path: String) -> String {
            folder.hasSuffix("/") ? folder + path : "\(folder)/\(path)"
        }

        if let directory { return directory }
        // systemd names several with colons between them (systemd.exec(5)).
        if let first = absolute("STATE_DIRECTORY")?.split(separator: ":").first { return String(first) }
        if uid == 0 { return "/var/lib/wsd" }
        if let folder = absolute("XDG_STATE_HOME") { return inside(folder, "wsd") }
        return absolute("HOME").map { inside($0, ".local/state/wsd") }
    }
}
