import Glibc

/// What the service manager hands to the service alone (`LoadCredential=`, systemd.exec(5)), named in the place of a file.
enum Credential {
    static let prefix = "credential:"
    /// Longest name, bytes; that of a file.
    static let maxName = 255
    /// Names that a message lists at most.
    private static let shownMax = 10

    static func isNamed(by text: String) -> Bool { text.hasPrefix(prefix) }

    /// The file of the credential that `text` names.
    ///
    /// - Parameter folder: `$CREDENTIALS_DIRECTORY`; `nil`: there is none.
    static func path(_ text: String, in folder: String?) throws(InvalidValue) -> String {
        let name = String(text.dropFirst(prefix.count))
        let isName =
            !name.isEmpty && name.utf8.count <= maxName && name != "." && name != ".."
            && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") }
        guard isName else { throw InvalidValue(hint: "\(ShownText.quoted(name)) is no name of a credential") }
        guard let folder, folder.hasPrefix("/") else {
            throw InvalidValue(
                hint: "this process has no credentials: systemd gives them to the service alone, from "
                    + "LoadCredential=\(name):FILE in its unit. To check by hand: CREDENTIALS_DIRECTORY=FOLDER")
        }
        let path = folder + (folder.hasSuffix("/") ? "" : "/") + name
        guard access(path, F_OK) == 0 else {
            let others = names(in: folder)
            throw InvalidValue(
                hint: "the unit has no credential \(name)\(others.isEmpty ? "" : ", only \(others)"): add "
                    + "LoadCredential=\(name):FILE")
        }
        return path
    }

    private static func names(in folder: String) -> String {
        guard let directory = opendir(folder) else { return "" }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: maxName + 1) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(ShownText.plain(name)) }
        }
        return names.sorted().prefix(shownMax).joined(separator: ", ")
    }
}
