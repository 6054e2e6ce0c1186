import Model
import Wire

/// The folder of the history's database, as it was found.
struct HistoryFolder {
    var path: String
    /// As many as exist and can be seen.
    var components: [FileAccess.Component]
    /// Bytes of the database and its log; `nil`: there is none yet.
    var databaseSize: Int?
    /// Bytes that can still be written.
    var free: Int?
}

// Findings about what is kept and what is kept secret.
extension Diagnosis {
    /// Bytes free below which the end is near, and those from which on nothing is said.
    static let littleSpace = 64 * 1024 * 1024
    static let enoughSpace = 1024 * 1024 * 1024

    /// Whether any room keeps history in the database.
    static func keepsHistory(_ entries: [ConfigurationEntry]) -> Bool {
        func value(_ key: String) -> String { entries.first { $0.key == key }?.value ?? "" }
        guard value("history.store") != "memory" else { return false }
        if let size = Int(value("rooms.defaults.historySize")), size > 0 { return true }
        // As `{match: "chat:*", historySize: 100}`.
        let mark = "historySize: "
        var rest = value("rooms.rules")[...]
        while let found = rest.firstRange(of: mark) {
            rest = rest[found.upperBound...]
            if let size = Int(rest.prefix { $0.isNumber }), size > 0 { return true }
        }
        return false
    }

    /// - Parameter folder: `nil`: nothing says where it is.
    static func history(_ folder: HistoryFolder?, by identity: FileAccess.Identity, user: String) -> Check {
        guard let folder else {
            return .problem(
                "Rooms keep history, and there is no folder for it.",
                "Set history.directory in wsd.yaml, then restart wsd.")
        }
        let path = folder.path
        guard let last = folder.components.last, last.path == path else {
            return .problem(
                "The history's folder \(path) does not exist, or a directory on the way hides it from you.",
                "Create it for \(user) (install -d -m 700 -o \(user) \(path)), or change history.directory.")
        }
        guard last.isDirectory else {
            return .problem("\(path) is to hold the history, and is no folder.", "Change history.directory.")
        }
        if let obstacle = FileAccess.obstacle(folder.components, for: identity, written: true) {
            let mode = String(obstacle.mode, radix: 8)
            return .problem(
                "The history's folder \(path) cannot be written by \(user), the user wsd runs as: \(obstacle.path) has mode \(mode).",
                "chown \(user) \(path), or change history.directory.")
        }
        let size = folder.databaseSize.map { "the database has \(Humanized.bytes($0))" } ?? "there is no database yet"
        guard let free = folder.free else {
            return .ok("The history's folder \(path) is writable for \(user); \(size).")
        }
        let space = "\(Humanized.bytes(free)) are free"
        if free < littleSpace {
            return .problem(
                "The history's folder \(path) is nearly full: \(space), \(size).",
                "Make room: once it is full, publications to rooms with history are refused.")
        }
        let finding = "The history's folder \(path) is writable for \(user); \(size), \(space)."
        return free < enoughSpace
            ? .note(finding, "Watch it: once it is full, publications are refused.") : .ok(finding)
    }

    /// A file that the service reads at its start.
    ///
    /// - Parameter isSecret: nobody else is to read it; otherwise nobody else is to write it.
    static func keyFile(
        _ path: String, what: String, isSecret: Bool, components: [FileAccess.Component],
        by identity: FileAccess.Identity,
        user: String
    ) -> Check {
        let readable = readable(path, what: what, components: components, by: identity, user: user)
        guard readable.verdict == .ok, let file = components.last else { return readable }
        let mode = String(file.mode, radix: 8)
        if isSecret, file.mode & 0o004 != 0 {
            return .problem(
                "\(what) \(path) has mode \(mode): everybody on this machine can read it.",
                "chmod 600 \(path), and make a new secret if somebody may have read it.")
        }
        if file.mode & 0o022 != 0 {
            return .problem(
                "\(what) \(path) has mode \(mode): others can put another key in its place.", "chmod go-w \(path)")
        }
        return readable
    }
}
