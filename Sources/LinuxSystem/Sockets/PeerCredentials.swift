import CLinux
import Glibc

/// Who connected to a Unix socket, as the kernel noted it at that moment (unix(7)).
package struct PeerCredentials: Hashable, Sendable {
    /// For log lines; the process may be gone and the number be another's by now.
    package var pid: Int32
    package var uid: UInt32
    /// The primary group.
    package var gid: UInt32
    /// Supplementary groups.
    package var groups: [UInt32]

    package init(pid: Int32, uid: UInt32, gid: UInt32, groups: [UInt32]) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.groups = groups
    }

    /// A process may be in this many groups (`NGROUPS_MAX`).
    private static let maxGroups = 65_536

    /// Credentials of the other end of a connected Unix stream socket.
    package static func of(_ descriptor: Int32) throws(SystemError) -> PeerCredentials {
        var credentials = try identity(of: descriptor)
        var capacity = 64
        while true {
            var groups = [gid_t](repeating: 0, count: capacity)
            let count = wsd_peer_groups(descriptor, &groups, Int32(capacity))
            if count >= 0 {
                credentials.groups = Array(groups.prefix(Int(count)))
                return credentials
            }
            guard errno == ERANGE, capacity < maxGroups else {
                throw SystemError(call: "getsockopt", code: errno, subject: "peer groups")
            }
            capacity = maxGroups
        }
    }

    package func isMember(ofGroup group: UInt32) -> Bool {
        gid == group || groups.contains(group)
    }

    static func identity(of descriptor: Int32) throws(SystemError) -> PeerCredentials {
        var credentials = wsd_credentials()
        try SystemError.check("getsockopt", "peer credentials", wsd_peer_credentials(descriptor, &credentials))
        return PeerCredentials(pid: credentials.pid, uid: credentials.uid, gid: credentials.gid, groups: [])
    }
}

package enum UserGroups {
    /// Number of a group by name (or by the number itself in digits); `nil`: there is no such group.
    package static func id(ofGroup name: String) -> UInt32? {
        if let number = UInt32(name) { return number }
        var size = 1024
        // A group's entry lists its members, so its size has no bound of its own.
        while size <= 1024 * 1024 {
            var entry = group()
            var result: UnsafeMutablePointer<group>?
            var buffer = [CChar](repeating: 0, count: size)
            let error = getgrnam_r(name, &entry, &buffer, buffer.count, &result)
            if error == ERANGE {
                size *= 4
                continue
            }
            return result == nil ? nil : entry.gr_gid
        }
        return nil
    }
}
