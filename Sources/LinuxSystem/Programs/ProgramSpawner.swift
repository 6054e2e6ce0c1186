import CLinux
import Glibc

/// A started process of a program, which at first is the role `exec`. The receiver owns the descriptors.
package struct LaunchedProgram: Sendable {
    package var process: SpawnedProcess
    /// Read end of a pipe, non-blocking: its end without a byte says that the command was executed, otherwise there is one line
    /// that says why not, and the process ends with ``ExitCode/osError``.
    package var status: Int32
    /// Where everything that comes from it begins; for ``ProgramTree`` and ``ProgramGuardLink``.
    package var root: ProgramTreeRoot
}

/// Starts the processes of programs, each in a session of its own.
package enum ProgramSpawner {
    /// As sd_listen_fds(3) wants it; the status pipe comes behind the last one.
    static let firstListener: Int32 = 3
    /// Name of the memory file with the launch, which is the role's standard input.
    static let launchName = "wsd-launch"
    /// Bytes of the line behind `status`.
    package static let maxStatusBytes = 1024

    /// The descriptors that `launch` names stay open here. Call always on the same thread, one that lives as long as this
    /// process: the kernel counts a process's parent as gone with the thread.
    package static func spawn(_ launch: ProgramLaunch) throws(SystemError) -> LaunchedProgram {
        try spawn(launch, executable: ChildSpawner.ownImage)
    }

    /// - Parameter executable: a program with the role `exec`.
    static func spawn(_ launch: ProgramLaunch, executable: String) throws(SystemError) -> LaunchedProgram {
        guard let bytes = LaunchText.encode(launch, parent: getpid()), bytes.count <= LaunchText.maxBytes,
            launch.listeners.count <= LaunchReader.maxListeners, !launch.command.isEmpty
        else { throw SystemError(call: "start", code: EINVAL, subject: launch.command.first) }
        let file = try MemoryFile.make(bytes, name: launchName)
        defer { Descriptors.close(file) }
        let status = try Descriptors.pipe()
        defer { Descriptors.close(status.write) }
        var descriptors = [
            InheritedDescriptor(source: file, target: STDIN_FILENO),
            InheritedDescriptor(source: launch.out, target: STDOUT_FILENO),
            InheritedDescriptor(source: launch.err, target: STDERR_FILENO),
            InheritedDescriptor(source: status.write, target: firstListener + Int32(launch.listeners.count)),
        ]
        for (index, listener) in launch.listeners.enumerated() {
            descriptors.append(InheritedDescriptor(source: listener, target: firstListener + Int32(index)))
        }
        do throws(SystemError) {
            let process = try ChildSpawner.spawn(
                executable: executable, arguments: ["wsd", "exec"], environment: libraryEnvironment,
                descriptors: descriptors)
            // Not reaped yet, so it is there.
            let started = ProcessTable.entry(of: process.pid)?.startTime ?? 0
            let root = ProgramTreeRoot(
                pid: process.pid, startTime: started, tag: launch.tag, user: ProgramUser.localID(of: launch.user),
                group: launch.controlGroup)
            return LaunchedProgram(process: process, status: status.read, root: root)
        } catch {
            Descriptors.close(status.read)
            throw error
        }
    }

    /// What the dynamic linker needs to start this image again.
    static var libraryEnvironment: [String] {
        getenv("LD_LIBRARY_PATH").map { ["LD_LIBRARY_PATH=\(String(cString: $0))"] } ?? []
    }
}
