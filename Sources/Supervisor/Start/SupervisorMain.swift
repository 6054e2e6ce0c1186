package import ConfigurationFile
import Glibc
import LinuxSystem
import Model

/// The supervisor's process, from its configuration to its end.
package enum SupervisorMain {
    /// Signals that are read from a descriptor; all others keep their default.
    static let signals = [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD]

    /// Runs the service until it is stopped. Call on the first thread, before there is another.
    ///
    /// - Parameter file: what `--config` names.
    package static func run(file: String?, flags: ConfigurationFlags) -> Never {
        StandardDescriptors.open()
        if let descriptor = takenOver { resume(from: descriptor, file: file, flags: flags) }
        let loader = ConfigurationLoader(file: file, environment: Environment.current, flags: flags)
        let loaded: LoadedConfiguration
        do throws(ConfigurationErrors) {
            loaded = try loader.load()
        } catch {
            say("wsd: The configuration is wrong; wsd does not start.\n\(error)\n", on: STDERR_FILENO)
            exit(ExitCode.configuration)
        }
        // Inherited as ignored, children would be reaped by the kernel, and how they ended would be lost (sigaction(2)).
        signal(SIGCHLD, SIG_DFL)
        do {
            try SignalDescriptor.block(signals)
        } catch {
            say("wsd: \(error)\n", on: STDERR_FILENO)
            exit(ExitCode.osError)
        }
        let original = try? DescriptorLimit.current
        let limit = Result { try DescriptorLimit.raise() }
        switch ServiceSockets.open(loaded.configuration, environment: loader.environment) {
        case .failure(let failure):
            say("wsd: \(failure.message)\n", on: STDERR_FILENO)
            exit(failure.exitCode)
        case .success(let sockets):
            SupervisorService.run(
                loader: loader, loaded: loaded, sockets: sockets, descriptorLimit: limit,
                originalLimit: original?.soft ?? DescriptorLimit.usual)
        }
    }

    /// The descriptor of what another program hands over with this process; `nil`: this one is new. Removes the variable.
    private static var takenOver: Int32? {
        guard let text = Environment.current[HandoverFile.variable] else { return nil }
        unsetenv(HandoverFile.variable)
        return Int32(text).flatMap { MemoryFile.isOne($0, name: HandoverFile.name) ? $0 : nil }
    }

    /// Goes on where another program stopped.
    private static func resume(from descriptor: Int32, file: String?, flags: ConfigurationFlags) -> Never {
        ProcessName.setOwn("wsd")
        let handed: RunningService.Handed
        do throws(TakeoverFailure) {
            let (handover, lines, lastLine) = try HandoverFile.read(descriptor)
            guard handover.pid == getpid() else { throw TakeoverFailure("It is another process's.") }
            handed = RunningService.Handed(handover: handover, lines: lines, lastLine: lastLine)
        } catch {
            say("wsd: The service cannot be taken over: \(error.message)\n", on: STDERR_FILENO)
            exit(ExitCode.osError)
        }
        Descriptors.close(descriptor)
        for descriptor in handed.handover.descriptors { try? Descriptors.setCloseOnExec(descriptor) }
        do {
            try SignalDescriptor.block(signals)
        } catch {
            say("wsd: \(error)\n", on: STDERR_FILENO)
            exit(ExitCode.osError)
        }
        SupervisorService.run(
            loader: ConfigurationLoader(file: file, environment: Environment.current, flags: flags),
            loaded: handed.handover.fleet.configuration, sockets: handed.handover.sockets,
            descriptorLimit: Result { try DescriptorLimit.current }, originalLimit: handed.handover.descriptorLimit,
            handed: handed)
    }

    /// The role of a program that is tried: says whether it can take over from the process that started it.
    ///
    /// - Parameter childProblems: what would keep a child of the service from starting.
    package static func tryTakeover(
        file: String?, flags: ConfigurationFlags, childProblems: (WsdConfiguration) -> [String]
    ) -> Never {
        let loader = ConfigurationLoader(file: file, environment: Environment.current, flags: flags)
        let verdict = TakeoverVerdict.of(loader) { configuration in
            let own = ServiceSockets.problem(configuration.control, environment: loader.environment)
            return (own.map { [$0.message] } ?? []) + childProblems(configuration)
        }
        say(verdict.line, on: STDOUT_FILENO)
        exit(ExitCode.success)
    }

    /// `--check-config` and `--print-config`: says what is wrong, or what there is. Returns the exit status.
    ///
    /// - Parameters:
    ///   - childProblems: what would keep a child of the service from starting; not asked where it is printed only.
    ///   - childDoubts: what a child would warn of.
    package static func check(
        file: String?, flags: ConfigurationFlags, printing: Bool, childProblems: (WsdConfiguration) -> [String],
        childDoubts: (WsdConfiguration) -> [String] = { _ in [] }
    ) -> Int32 {
        let loader = ConfigurationLoader(file: file, environment: Environment.current, flags: flags)
        do throws(ConfigurationErrors) {
            let loaded = try loader.load()
            for warning in loaded.warnings { say("warning: \(warning)\n", on: STDERR_FILENO) }
            if printing {
                let width = loaded.entries.map { $0.key.count + $0.value.count }.max() ?? 0
                for entry in loaded.entries {
                    let gap = String(repeating: " ", count: width - entry.key.count - entry.value.count)
                    say("\(entry.key): \(entry.value)\(gap)  # \(entry.source)\n", on: STDOUT_FILENO)
                }
            } else {
                let configuration = loaded.configuration
                let own = ServiceSockets.problem(configuration.control, environment: loader.environment)
                let problems = (own.map { [$0.message] } ?? []) + childProblems(configuration)
                guard problems.isEmpty else {
                    for problem in problems { say("\(problem)\n", on: STDERR_FILENO) }
                    return ExitCode.configuration
                }
                for doubt in childDoubts(configuration) { say("warning: \(doubt)\n", on: STDERR_FILENO) }
                say("ok: \(loaded.file ?? "no wsd.yaml; defaults, environment and flags")\n", on: STDOUT_FILENO)
            }
            return ExitCode.success
        } catch {
            say("\(error)\n", on: STDERR_FILENO)
            return ExitCode.configuration
        }
    }

    private static func say(_ text: String, on descriptor: Int32) {
        DescriptorDestination(descriptor: descriptor).write(text)
    }
}

/// Why the service could not start, for a person.
struct StartFailure: Error, Equatable {
    var exitCode: Int32
    var message: String
}
