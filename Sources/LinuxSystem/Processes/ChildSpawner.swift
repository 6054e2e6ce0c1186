import CLinux
import Glibc

/// A started child. The receiver owns `pidfd` (as a rule it hands it to a ``ProcessWatcher``) and the duty to reap.
package struct SpawnedProcess: Sendable {
    package var pid: Int32
    package var pidfd: Int32
}

/// One descriptor of a child: `source` here is `target` there.
package struct InheritedDescriptor: Hashable, Sendable {
    package var source: Int32
    package var target: Int32

    package init(source: Int32, target: Int32) {
        self.source = source
        self.target = target
    }
}

/// Starts children: each in a session of its own (so that Ctrl-C reaches the supervisor alone), with no signal blocked, every
/// signal at its default and no descriptor but the named ones.
package enum ChildSpawner {
    /// The running image itself, also after its file was replaced or removed (proc(5)).
    package static let ownImage = "/proc/self/exe"

    /// - Parameters:
    ///   - arguments: with the program's name as the first one.
    ///   - environment: `NAME=value`; see ``childEnvironment(from:)``.
    ///   - descriptors: distinct targets. Standard input is `/dev/null` where it is no target; 1 and 2 are shared with this
    ///     process where they are none. Sources stay open here.
    /// - Throws: `SystemError`, also when the program could not be executed.
    package static func spawn(
        executable: String = ownImage,
        arguments: [String],
        environment: [String],
        descriptors: [InheritedDescriptor]
    ) throws(SystemError) -> SpawnedProcess {
        let named = descriptors.map { wsd_descriptor(source: $0.source, target: $0.target) }
        var pid: pid_t = -1
        var pidfd: Int32 = -1
        let error = withCStrings(arguments) { argv in
            withCStrings(environment) { envp in
                wsd_spawn(executable, argv, envp, named, named.count, &pid, &pidfd)
            }
        }
        if error != 0 { throw SystemError(call: "start", code: error, subject: executable) }
        return SpawnedProcess(pid: pid, pidfd: pidfd)
    }

    /// A child of this process that was started before its program took over (execve(2)), and has not been reaped.
    package static func adopt(pid: Int32) throws(SystemError) -> SpawnedProcess {
        SpawnedProcess(pid: pid, pidfd: try SystemError.check("pidfd_open", "process \(pid)", wsd_pidfd_open(pid)))
    }

    /// What a child may see of an environment: without what systemd meant for this process alone (sd_notify(3),
    /// sd_listen_fds(3), sd_watchdog_enabled(3)).
    package static func childEnvironment(from environment: [String: String] = Environment.current) -> [String] {
        environment
            .filter { name, _ in name != "NOTIFY_SOCKET" && !name.hasPrefix("LISTEN_") && !name.hasPrefix("WATCHDOG_") }
            .map { "\($0.key)=\($0.value)" }
            .sorted()
    }

    static func withCStrings<Result>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        return body(pointers)
    }
}

/// The process's environment.
package enum Environment {
    /// A copy. Nobody may change the environment at the same time (setenv(3)).
    package static var current: [String: String] {
        var result: [String: String] = [:]
        // Null after clearenv(3).
        guard var entry = wsd_environment() else { return result }
        while let text = entry.pointee {
            let pair = String(cString: text)
            if let equals = pair.firstIndex(of: "="), equals != pair.startIndex {
                result[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
            }
            entry += 1
        }
        return result
    }
}
