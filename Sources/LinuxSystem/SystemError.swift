import Glibc

/// A system call that failed.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Name of the call, as in its man page.
    package var call: String
    /// The error number (errno(3)).
    package var code: Int32
    /// What it was about, a path for example.
    package var subject: String?

    package init(call: String, code: Int32, subject: String? = nil) {
        self.call = call
        self.code = code
        self.subject = subject
    }

    /// The system's words for the error: `Permission denied`.
    package var reason: String { Self.reason(of: code) }

    /// `Cannot bind /run/wsd/control.sock: Permission denied`.
    package var description: String {
        subject.map { "Cannot \(call) \($0): \(reason)" } ?? "\(call) failed: \(reason)"
    }

    package static func reason(of code: Int32) -> String {
        String(cString: strerror(code))
    }

    /// Throws for a result below 0, with the current `errno`.
    @discardableResult
    static func check(_ call: String, _ subject: String? = nil, _ result: Int32) throws(SystemError) -> Int32 {
        if result < 0 { throw SystemError(call: call, code: errno, subject: subject) }
        return result
    }
}
