import CLinux
import Glibc

/// Making and setting descriptors. Who receives one owns it and closes it once.
package enum Descriptors {
    /// Size asked for a log pipe: a burst of lines fits while the reader is busy (default: 64 KiB, pipe(7)).
    package static let pipeCapacity: Int32 = 256 * 1024

    /// A connected pair of Unix stream sockets, both CLOEXEC and non-blocking.
    package static func socketPair() throws(SystemError) -> (ours: Int32, theirs: Int32) {
        var ends: [Int32] = [-1, -1]
        try SystemError.check("socketpair", nil, wsd_socketpair(&ends))
        return (ends[0], ends[1])
    }

    /// A pipe, both ends CLOEXEC. Only the read end is non-blocking: `O_NONBLOCK` belongs to the open file description, and what a
    /// child does with its end is the child's to choose.
    package static func pipe() throws(SystemError) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        try SystemError.check("pipe2", nil, wsd_pipe(&ends, pipeCapacity))
        return (ends[0], ends[1])
    }

    package static func setNonBlocking(_ descriptor: Int32, _ on: Bool = true) throws(SystemError) {
        try SystemError.check("fcntl", nil, wsd_set_nonblocking(descriptor, on ? 1 : 0))
    }

    package static func setCloseOnExec(_ descriptor: Int32, _ on: Bool = true) throws(SystemError) {
        try SystemError.check("fcntl", nil, wsd_set_cloexec(descriptor, on ? 1 : 0))
    }

    package static func close(_ descriptor: Int32) {
        // Not repeated on EINTR: Linux has freed the number by then (close(2)).
        Glibc.close(descriptor)
    }

    /// Numbers of this process's open descriptors.
    package static func open() -> [Int32] {
        guard let directory = opendir("/proc/self/fd") else { return [] }
        defer { closedir(directory) }
        let own = dirfd(directory)
        var numbers: [Int32] = []
        while let entry = readdir(directory) {
            guard let number = Int32(ProcFile.name(of: entry)), number != own else { continue }
            numbers.append(number)
        }
        return numbers.sorted()
    }
}
