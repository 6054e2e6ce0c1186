import Glibc

/// Memory that is writable and executable, which just-in-time compilers need and a service manager may forbid
/// (`MemoryDenyWriteExecute=`, systemd.exec(5)).
package enum ExecutableMemory {
    /// Whether this process and all that it starts do without. It cannot be allowed again while they live.
    package static let isForbidden: Bool = {
        let size = Int(sysconf(Int32(_SC_PAGESIZE)))
        let page = mmap(nil, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard page != MAP_FAILED else { return errno == EPERM || errno == EACCES }
        munmap(page, size)
        return false
    }()
}
