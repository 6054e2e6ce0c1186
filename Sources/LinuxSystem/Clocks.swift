import Glibc
package import Model

extension MonotonicTime {
    /// Now on `CLOCK_MONOTONIC`, which stands still while the machine sleeps and is never set.
    package static func now() -> MonotonicTime {
        MonotonicTime(nanoseconds: Clocks.nanoseconds(CLOCK_MONOTONIC))
    }
}

package enum Clocks {
    /// Seconds since 1970 with their fraction; may jump when the clock is set.
    package static func wallSeconds() -> Double {
        Double(nanoseconds(CLOCK_REALTIME)) / 1e9
    }

    static func nanoseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
