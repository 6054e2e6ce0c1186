import Glibc

/// Descriptors that new processes leave to what is there: without any, no connection is accepted and no file opened any more.
package enum DescriptorRoom {
    /// Kept free; of a small limit a quarter.
    static let reserve = 32

    package struct Shortage: Error, Equatable, CustomStringConvertible {
        var used: Int
        var limit: Int

        package var description: String {
            "\(used) of the \(limit) descriptors of wsd are used up: raise LimitNOFILE= of its unit, or `ulimit -n` before it is started"
        }
    }

    /// Before something is started that takes several.
    package static func check() throws {
        try check(limit: DescriptorLimit.current.soft)
    }

    static func check(limit: Int) throws {
        guard let used = count() else { throw Shortage(used: limit, limit: limit) }
        guard used + min(reserve, limit / 4) <= limit else { throw Shortage(used: used, limit: limit) }
    }

    /// `nil`: not even that can be looked at any more.
    private static func count() -> Int? {
        var status = stat()
        // Since Linux 6.2 its size is their number (proc(5)).
        if stat("/proc/self/fd", &status) == 0, status.st_size > 0 { return Int(status.st_size) }
        guard let folder = opendir("/proc/self/fd") else { return errno == EMFILE || errno == ENFILE ? nil : 0 }
        defer { closedir(folder) }
        var count = 0
        // Without `.`, `..` and its own.
        while readdir(folder) != nil { count += 1 }
        return max(0, count - 3)
    }
}
