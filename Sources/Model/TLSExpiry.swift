/// Sentences about the time that a certificate has left.
package enum TLSExpiry {
    /// Fewer days than these are worth a warning.
    package static let warnBelow = 14
    /// Between two warnings.
    package static let warnInterval = Duration.seconds(24 * 60 * 60)

    private static let day = 86_400

    /// - Parameter now: seconds since 1970, as the others.
    /// - Returns: `nil`: all is well.
    package static func warning(notBefore: Int, notAfter: Int, now: Int) -> String? {
        if now >= notAfter {
            let days = (now - notAfter) / day
            return
                "The TLS certificate has expired \(days == 0 ? "today" : "\(days) \(days == 1 ? "day" : "days") ago")"
        }
        if now < notBefore { return "The TLS certificate is not valid yet" }
        let days = (notAfter - now) / day
        guard days < warnBelow else { return nil }
        return
            "The TLS certificate expires in \(days == 0 ? "less than a day" : "\(days) \(days == 1 ? "day" : "days")")"
    }
}
