import Glibc

/// The user and groups that a program runs as.
struct ProgramUser {
    var uid: UInt32
    var gid: UInt32
    var groups: [UInt32]
    /// As in the user database; `nil`: a number that stands in none.
    var account: (name: String, home: String, shell: String)?

    /// Bytes of an entry of the databases.
    private static let maxEntry = 1024 * 1024
    private static let maxGroups: Int32 = 65536

    /// The number of a user as far as that can be said at once: without asking a server on the network.
    static func localID(of user: String?) -> UInt32? {
        guard let user else { return getuid() }
        if let number = UInt32(user) { return number }
        guard let file = fopen("/etc/passwd", "re") else { return nil }
        defer { fclose(file) }
        while let entry = fgetpwent(file) {
            if String(cString: entry.pointee.pw_name) == user { return entry.pointee.pw_uid }
        }
        return nil
    }

    /// Looks the user up, and the group: a name or a number each.
    static func find(_ user: String, group: String?) throws(ProgramFailure) -> ProgramUser {
        var found: ProgramUser
        if let entry = account(user) {
            found = entry
        } else if let number = UInt32(user) {
            guard group != nil else {
                throw ProgramFailure("the user \(user) is in no user database: name its group, too")
            }
            found = ProgramUser(uid: number, gid: 0, groups: [])
        } else {
            throw ProgramFailure("there is no user “\(user)”")
        }
        if let group {
            found.gid = try gid(of: group)
            if found.account == nil { found.groups = [found.gid] }
        }
        if let account = found.account { found.groups = memberships(of: account.name, gid: found.gid) }
        return found
    }

    static func gid(of group: String) throws(ProgramFailure) -> UInt32 {
        var buffer = [CChar](repeating: 0, count: maxEntry)
        var entry = Glibc.group()
        var result: UnsafeMutablePointer<Glibc.group>?
        if getgrnam_r(group, &entry, &buffer, buffer.count, &result) == 0, result != nil { return entry.gr_gid }
        guard let number = UInt32(group) else { throw ProgramFailure("there is no group “\(group)”") }
        return number
    }

    private static func account(_ user: String) -> ProgramUser? {
        var buffer = [CChar](repeating: 0, count: maxEntry)
        var entry = passwd()
        var result: UnsafeMutablePointer<passwd>?
        var error = getpwnam_r(user, &entry, &buffer, buffer.count, &result)
        if error != 0 || result == nil, let number = UInt32(user) {
            error = getpwuid_r(number, &entry, &buffer, buffer.count, &result)
        }
        guard error == 0, result != nil else { return nil }
        return ProgramUser(
            uid: entry.pw_uid, gid: entry.pw_gid, groups: [],
            account: (String(cString: entry.pw_name), String(cString: entry.pw_dir), String(cString: entry.pw_shell)))
    }

    private static func memberships(of name: String, gid: UInt32) -> [UInt32] {
        var count: Int32 = 64
        while count <= maxGroups {
            var groups = [gid_t](repeating: 0, count: Int(count))
            var found = count
            if getgrouplist(name, gid, &groups, &found) >= 0 { return Array(groups.prefix(Int(found))) }
            count *= 4
        }
        return [gid]
    }
}

/// Whom a program runs as, seen from this process.
package enum ProgramAccount {
    /// Whether a program's user is another than this process's. One that is not known here is.
    package static func isAnother(_ user: String?) -> Bool { ProgramUser.localID(of: user) != getuid() }

    /// Whether what a user says can be a program's word: that of root, of this process's user, or of the user that the program was
    /// started as or has become.
    package static func maySpeak(_ uid: UInt32, for root: ProgramTreeRoot) -> Bool {
        uid == 0 || uid == geteuid() || uid == root.user || uid == ProcessTable.realUser(of: root.pid)
    }
}

/// Why a program could not be executed: words that go on after “it cannot start: ”.
struct ProgramFailure: Error, Equatable, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}
