import Glibc

/// The limit on this process's open descriptors (getrlimit(2)); children inherit it.
package struct DescriptorLimit: Hashable, Sendable {
    /// The one in force.
    package var soft: Int
    /// The one up to which a process may raise it.
    package var hard: Int

    /// The soft limit that Linux has by default.
    package static let usual = 1024

    package static var current: DescriptorLimit {
        get throws(SystemError) {
            var limit = rlimit()
            try SystemError.check("getrlimit", nil, getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit))
            return DescriptorLimit(soft: Int(clamping: limit.rlim_cur), hard: Int(clamping: limit.rlim_max))
        }
    }

    /// Raises the soft limit to the hard one. Returns the limit from now on.
    package static func raise() throws(SystemError) -> DescriptorLimit {
        var limit = rlimit()
        try SystemError.check("getrlimit", nil, getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit))
        if limit.rlim_cur != limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            try SystemError.check("setrlimit", nil, setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit))
        }
        return DescriptorLimit(soft: Int(clamping: limit.rlim_cur), hard: Int(clamping: limit.rlim_max))
    }
}
