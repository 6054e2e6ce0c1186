import Glibc

/// Whom the kernel kills first when memory runs out (`oom_score_adj` of proc(5)).
package enum KillPreference {
    /// Takes from a child the protection that it inherited: where the service manager protects this process, the kernel is to
    /// choose among its children first, which it starts again. May fail, and the child then stays as protected.
    ///
    /// - Parameter root: put before every path; another than the empty one for tests.
    package static func expose(child pid: Int32, root: String = "") {
        guard let own = ProcFile.text(root + "/proc/self/oom_score_adj"), own.hasPrefix("-") else { return }
        let descriptor = open(root + "/proc/\(pid)/oom_score_adj", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = write(descriptor, "0", 1)
        close(descriptor)
    }
}
