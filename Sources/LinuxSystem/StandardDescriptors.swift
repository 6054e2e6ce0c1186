import Glibc

/// Descriptors 0 to 2.
package enum StandardDescriptors {
    /// Puts `/dev/null` where one of them is closed: the next file opened would get its number, and with it all that is
    /// written to standard error. Call before anything else is opened.
    package static func open() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is this one: those below are open.
            _ = Glibc.open("/dev/null", O_RDWR)
        }
    }
}
