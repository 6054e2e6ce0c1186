import CLinux
import Glibc

/// Starts a program once, with something to read on its standard input.
package enum HookSpawner {
    /// In a session of its own, without a shell and in this process's working directory.
    ///
    /// - Parameters:
    ///   - command: program and arguments; the program is looked for in the `PATH` of `environment` unless it holds a slash.
    ///   - output: becomes descriptors 1 and 2.
    ///   - tag: value of `WSD_INSTANCE`.
    package static func spawn(
        _ command: [String], environment: [String], input: [UInt8], output: Int32, tag: String
    ) throws(SystemError) -> (process: SpawnedProcess, root: ProgramTreeRoot) {
        let file = try MemoryFile.make(input, name: ProgramSpawner.launchName)
        defer { Descriptors.close(file) }
        let process = try ChildSpawner.spawn(
            executable: try find(command.first ?? "", environment), arguments: command,
            environment: ["\(ProgramTags.variable)=\(tag)"] + environment,
            descriptors: [
                InheritedDescriptor(source: file, target: STDIN_FILENO),
                InheritedDescriptor(source: output, target: STDOUT_FILENO),
                InheritedDescriptor(source: output, target: STDERR_FILENO),
            ])
        // Not reaped yet, so it is there.
        let started = ProcessTable.entry(of: process.pid)?.startTime ?? 0
        return (process, ProgramTreeRoot(pid: process.pid, startTime: started, tag: tag, user: getuid(), group: nil))
    }

    private static func find(_ name: String, _ environment: [String]) throws(SystemError) -> String {
        let path =
            environment.first { $0.hasPrefix("PATH=") }.map { String($0.dropFirst(5)) } ?? ProgramSearch.defaultPath
        let files = ProgramSearch.files(of: name, path: path)
        guard let file = files.first(where: { access($0, X_OK) == 0 }) else {
            throw SystemError(call: "start", code: files.count == 1 ? errno : ENOENT, subject: name)
        }
        return file
    }
}
