import Glibc
package import Model

/// Time of day where the machine stands (`TZ`, /etc/localtime).
package enum LocalClock {
    /// Seconds by which local time is ahead of UTC at a moment.
    ///
    /// - Parameter unixSeconds: since 1970, UTC.
    package static func offset(at unixSeconds: Int) -> Int {
        var time = time_t(unixSeconds)
        var fields = tm()
        // localtime_r(3) does not look at the zone again by itself.
        tzset()
        return localtime_r(&time, &fields) == nil ? 0 : fields.tm_gmtoff
    }

    package static func minute(of unixSeconds: Int) -> LocalMinute {
        let local = unixSeconds + offset(at: unixSeconds)
        return LocalMinute(index: local >= 0 ? local / 60 : (local - 59) / 60)
    }
}
