import Glibc
import Model

/// Which control socket to speak to.
package struct ControlSocket: Sendable, Equatable {
    /// In the order in which they are tried.
    package var candidates: [String]

    package init(candidates: [String]) {
        self.candidates = candidates
    }

    /// - Parameters:
    ///   - flag: `--socket`; only this one is tried then.
    ///   - environment: of the caller; see ``RuntimePaths``.
    ///   - userID: effective user id of the caller.
    package static func chosen(flag: String?, environment: [String: String], userID: UInt32) -> Self {
        Self(candidates: RuntimePaths.candidates(explicit: flag, environment: environment, uid: userID))
    }
}

extension SocketOwner {
    /// Reads owner and mode of a file; `nil` when the caller may not even see it.
    static func of(path: String) -> SocketOwner? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return SocketOwner(
            user: UserDatabase.userName(status.st_uid), group: UserDatabase.groupName(status.st_gid),
            mode: status.st_mode & 0o7777)
    }
}

/// Names of users and groups (getpwuid(3), getgrgid(3)); the number where there is no name.
package enum UserDatabase {
    package static func userName(_ id: UInt32) -> String {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: bufferSize) { buffer in
            guard let start = buffer.baseAddress, getpwuid_r(id, &entry, start, buffer.count, &found) == 0,
                found != nil,
                let name = entry.pw_name
            else { return "\(id)" }
            return String(cString: name)
        }
    }

    package static func groupName(_ id: UInt32) -> String {
        var entry = group()
        var found: UnsafeMutablePointer<group>?
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: bufferSize) { buffer in
            guard let start = buffer.baseAddress, getgrgid_r(id, &entry, start, buffer.count, &found) == 0,
                found != nil,
                let name = entry.gr_name
            else { return "\(id)" }
            return String(cString: name)
        }
    }

    /// Bytes for one entry; a group with very many members does not fit and shows as its number.
    private static let bufferSize = 16 * 1024
}
