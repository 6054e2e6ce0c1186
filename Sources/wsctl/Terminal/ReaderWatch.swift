import Glibc

/// Ends a command that follows a quiet stream once nobody reads its output any more: a write would only find out with the
/// next line (`wsctl logs -f | head -1`).
enum ReaderWatch {
    /// Watches standard output on a thread of its own and exits with status 0 when its pipe or socket has lost the reader
    /// (poll(2): `POLLERR`, `POLLHUP`). Does nothing for files and terminals.
    static func start() {
        var status = stat()
        guard fstat(STDOUT_FILENO, &status) == 0, [S_IFIFO, S_IFSOCK].contains(status.st_mode & S_IFMT) else { return }
        var thread = pthread_t()
        let created = pthread_create(
            &thread, nil,
            { _ in
                var watched = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
                while poll(&watched, 1, -1) < 0, errno == EINTR {}
                _exit(CommandStatus.success.rawValue)
            }, nil)
        // Without the thread the next write finds out.
        if created == 0 { pthread_detach(thread) }
    }
}
