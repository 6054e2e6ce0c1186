import Glibc
internal import Model

/// Sets resource limits (setrlimit(2)).
enum ProgramResources {
    /// Names as in prlimit(1); numbers as in every architecture's `asm-generic/resource.h`.
    static let numbers: [String: UInt32] = [
        "cpu": UInt32(RLIMIT_CPU.rawValue), "fsize": UInt32(RLIMIT_FSIZE.rawValue),
        "data": UInt32(RLIMIT_DATA.rawValue), "stack": UInt32(RLIMIT_STACK.rawValue),
        "core": UInt32(RLIMIT_CORE.rawValue), "rss": UInt32(__RLIMIT_RSS.rawValue),
        "nofile": UInt32(RLIMIT_NOFILE.rawValue), "as": UInt32(RLIMIT_AS.rawValue),
        "nproc": UInt32(__RLIMIT_NPROC.rawValue), "memlock": UInt32(__RLIMIT_MEMLOCK.rawValue),
        "locks": UInt32(__RLIMIT_LOCKS.rawValue), "sigpending": UInt32(__RLIMIT_SIGPENDING.rawValue),
        "msgqueue": UInt32(__RLIMIT_MSGQUEUE.rawValue), "nice": UInt32(__RLIMIT_NICE.rawValue),
        "rtprio": UInt32(__RLIMIT_RTPRIO.rawValue), "rttime": UInt32(__RLIMIT_RTTIME.rawValue),
    ]

    static func set(_ limits: [ProgramLimit], softDescriptors: Int) throws(ProgramFailure) {
        if !limits.contains(where: { $0.resource == "nofile" }) {
            var present = rlimit()
            if getrlimit(resource(UInt32(RLIMIT_NOFILE.rawValue)), &present) == 0 {
                present.rlim_cur = min(rlim_t(clamping: max(softDescriptors, 0)), present.rlim_max)
                _ = setrlimit(resource(UInt32(RLIMIT_NOFILE.rawValue)), &present)
            }
        }
        for limit in limits {
            guard let number = numbers[limit.resource] else {
                throw ProgramFailure("there is no resource “\(limit.resource)” to limit")
            }
            var value = rlimit(
                rlim_cur: limit.soft.map { rlim_t(clamping: $0) } ?? .max,
                rlim_max: limit.hard.map { rlim_t(clamping: $0) } ?? .max)
            guard setrlimit(resource(number), &value) != 0 else { continue }
            let code = errno
            var present = rlimit()
            getrlimit(resource(number), &present)
            let hard = present.rlim_max == .max ? "unlimited" : String(present.rlim_max)
            let why =
                switch code {
                case EPERM where geteuid() == 0: "it may not be raised above \(hard) here"
                case EPERM: "only root may raise it above \(hard)"
                default: SystemError.reason(of: code)
                }
            throw ProgramFailure(
                "the limit \(limit.resource) cannot be set to \(words(limit.soft)):\(words(limit.hard)): \(why)")
        }
    }

    private static func words(_ value: UInt64?) -> String { value.map(String.init) ?? "unlimited" }

    private static func resource(_ number: UInt32) -> __rlimit_resource_t { __rlimit_resource_t(number) }
}
