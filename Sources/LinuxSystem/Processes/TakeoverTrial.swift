import CLinux
import Glibc
internal import Model

/// A program that is to take this process over, tried in a process of its own: it reads what would be handed over, and says
/// whether it can go on with it.
package struct TakeoverTrial: Sendable {
    /// The role's first argument; the process's own arguments follow.
    package static let role = "takeover-trial"
    /// Where the role finds what would be handed over.
    package static let file: Int32 = 3
    /// Bytes of an answer; what is beyond is left out.
    static let maxAnswer = 64 * 1024

    private let process: SpawnedProcess
    private let answer: Int32

    /// Starts it. Call on the first thread.
    ///
    /// - Parameters:
    ///   - program: descriptor of its file.
    ///   - handover: the memory file. Both stay open here.
    package static func start(program: Int32, handover: Int32) throws(SystemError) -> TakeoverTrial {
        let pipe = try Descriptors.pipe()
        defer { Descriptors.close(pipe.write) }
        let own = CommandLine.arguments
        do throws(SystemError) {
            let process = try ChildSpawner.spawn(
                // Its own descriptors are closed by the time it is executed, this process's are not.
                executable: "/proc/\(getpid())/fd/\(program)",
                arguments: [own.first ?? "wsd", role] + own.dropFirst(),
                environment: Environment.current.map { "\($0.key)=\($0.value)" }.sorted(),
                descriptors: [
                    InheritedDescriptor(source: pipe.write, target: STDOUT_FILENO),
                    InheritedDescriptor(source: pipe.write, target: STDERR_FILENO),
                    InheritedDescriptor(source: handover, target: file),
                ])
            return TakeoverTrial(process: process, answer: pipe.read)
        } catch {
            Descriptors.close(pipe.read)
            throw error
        }
    }

    /// Waits for what it says, to its end, and reaps it. Once, on any thread, which is blocked.
    ///
    /// - Returns: everything that it wrote; `nil`: it took longer than `timeout` and was killed.
    package func wait(_ timeout: Duration) -> String? {
        defer {
            Descriptors.close(answer)
            var exit = wsd_exit()
            var wanted = pollfd(fd: process.pidfd, events: Int16(POLLIN), revents: 0)
            // It has closed its outputs, or is killed.
            poll(&wanted, 1, 1000)
            _ = wsd_pidfd_signal(process.pidfd, SIGKILL)
            poll(&wanted, 1, 1000)
            _ = wsd_reap(process.pidfd, &exit)
            Descriptors.close(process.pidfd)
        }
        let deadline = MonotonicTime.now() + timeout
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            var wanted = pollfd(fd: answer, events: Int16(POLLIN), revents: 0)
            let left = (deadline - MonotonicTime.now()).milliseconds
            guard left > 0, poll(&wanted, 1, Int32(clamping: left)) != 0 else {
                _ = wsd_pidfd_signal(process.pidfd, SIGKILL)
                return nil
            }
            let count = read(answer, &chunk, chunk.count)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { return String(decoding: text, as: UTF8.self) }
            text += chunk[..<min(count, Self.maxAnswer - text.count)]
        }
    }
}
