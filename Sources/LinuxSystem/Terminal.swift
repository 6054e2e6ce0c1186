import CLinux
import Glibc

package enum Terminal {
    package static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// Columns of the terminal behind a descriptor; `nil` when it is none or does not say.
    package static func columns(_ descriptor: Int32 = STDOUT_FILENO) -> Int? {
        let columns = wsd_terminal_columns(descriptor)
        return columns > 0 ? Int(columns) : nil
    }

    /// Whether this process's session has a controlling terminal that is still there.
    ///
    /// Tells a SIGHUP of a closing terminal from one that asks for a reload: a process that had one at its start and has none when
    /// the signal comes lost it. The signal's sender does not tell: a shell passes the hang-up on with its own pid.
    package static var hasControlling: Bool {
        let descriptor = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return true
    }
}
