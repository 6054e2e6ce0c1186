import CLinux
import Glibc

/// The terminal of this process as a screen to draw on; it is given back as it was, however the process ends but by SIGKILL.
package enum FullScreenTerminal {
    package struct Size: Hashable, Sendable {
        package var columns: Int
        package var rows: Int

        package init(columns: Int, rows: Int) {
            (self.columns, self.rows) = (columns, rows)
        }
    }

    /// Keys come one by one from now on. To be called again when the process goes on after a stop.
    ///
    /// - Parameters:
    ///   - enter: control sequences that are written now.
    ///   - leave: those that undo them, 128 bytes at most.
    package static func enter(
        input: Int32 = STDIN_FILENO, output: Int32 = STDOUT_FILENO, _ enter: String, leave: String
    ) throws(SystemError) {
        try SystemError.check("enter", "the terminal", wsd_terminal_enter(input, output, enter, leave))
    }

    package static func leave() { wsd_terminal_leave() }

    /// A descriptor that says by a byte each which signal came (SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGWINCH, SIGCONT, SIGTSTP).
    /// They do nothing else any more.
    package static func signals() throws(SystemError) -> Int32 {
        try SystemError.check("handle", "signals", wsd_terminal_signals())
    }

    /// Leaves the terminal and stops the process as Ctrl-Z does; returns when it goes on.
    package static func stop() { wsd_terminal_stop() }

    /// Leaves the terminal and ends the process by a signal.
    package static func end(by signal: Int32) -> Never { wsd_terminal_end(signal) }

    /// `nil`: it does not say (ioctl_tty(2): `TIOCGWINSZ`).
    package static func size(_ descriptor: Int32 = STDOUT_FILENO) -> Size? {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return nil }
        return Size(columns: Int(size.ws_col), rows: Int(size.ws_row))
    }
}
