/// Exit statuses of `wsd` and its roles (sysexits.h where it has one).
package enum ExitCode {
    package static let success: Int32 = 0
    /// All slots failed, or another run-time failure.
    package static let failure: Int32 = 1
    /// Wrong command line (`EX_USAGE`).
    package static let usage: Int32 = 64
    /// The address is taken or cannot be bound, or another wsd holds the control socket (`EX_UNAVAILABLE`).
    package static let unavailable: Int32 = 69
    /// Something of the operating system failed (`EX_OSERR`).
    package static let osError: Int32 = 71
    /// A file that could be used when the configuration was checked cannot be now (`EX_TEMPFAIL`).
    package static let temporary: Int32 = 75
    /// The configuration is wrong (`EX_CONFIG`). Never retried.
    package static let configuration: Int32 = 78
}
