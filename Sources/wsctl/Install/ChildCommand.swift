import Glibc

/// Runs other programs and waits for them.
enum ChildCommand {
    /// Bytes of output that are read.
    private static let outputLimit = 1024 * 1024

    /// Runs a command with this one's output; with none where it fails quietly.
    ///
    /// - Returns: its exit status, or 128 and the signal's number; 127 where it could not be started.
    static func run(_ command: [String], isQuiet: Bool = false) -> Int32 {
        guard let pid = spawn(command, output: nil, isQuiet: isQuiet) else { return 127 }
        return wait(pid)
    }

    static func succeeds(_ command: [String]) -> Bool { run(command, isQuiet: true) == 0 }

    /// What a command prints; `nil` where it fails or prints too much.
    static func output(_ command: [String]) -> String? {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        // The child gets its end as standard output; no other one must keep the pipe open.
        ends.forEach { _ = fcntl($0, F_SETFD, FD_CLOEXEC) }
        let pid = spawn(command, output: ends[1], isQuiet: true)
        close(ends[1])
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count <= outputLimit {
            let count = read(ends[0], &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += piece[..<count]
        }
        // One that still writes ends by SIGPIPE.
        close(ends[0])
        guard let pid, wait(pid) == 0, bytes.count <= outputLimit else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func spawn(_ command: [String], output: Int32?, isQuiet: Bool) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        if let output {
            posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        } else if isQuiet {
            posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
        }
        if isQuiet { posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) }
        // wsctl ignores SIGPIPE, and what is ignored stays so over exec.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var pid: pid_t = 0
        return posix_spawnp(&pid, command[0], &actions, &attributes, &arguments, environ) == 0 ? pid : nil
    }

    private static func wait(_ pid: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { return 127 }
        }
        // wait(2): the low seven bits are the signal.
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }
}
