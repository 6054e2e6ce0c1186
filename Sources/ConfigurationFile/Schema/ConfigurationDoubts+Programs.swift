import Glibc
import Model

extension ConfigurationDoubts {
    /// Keys that change nothing, and what is not there.
    static func programs(_ configuration: WsdConfiguration) -> [String] {
        let sleeping = Set(configuration.programs.filter { !$0.autostart }.map(\.name))
        return configuration.programs.enumerated().flatMap { index, program in
            about(program, sleeping).map { "programs[\(index)] (\(program.name)).\($0)" }
        }
    }

    private static func about(_ program: ProgramConfiguration, _ sleeping: Set<String>) -> [String] {
        let fresh = ProgramConfiguration()
        var sentences: [String] = []
        if let folder = program.folder, access(folder, X_OK) != 0 {
            sentences.append("folder: \(folder) cannot be entered: \(String(cString: strerror(errno)))")
        }
        for file in program.environmentFiles where !file.hasPrefix("-") && access(file, R_OK) != 0 {
            sentences.append("environmentFiles: \(file) cannot be read: \(String(cString: strerror(errno)))")
        }
        let alive = [program.aliveInterval, program.aliveTimeout, .seconds(program.aliveFailures)]
        if program.alive == nil, alive != [fresh.aliveInterval, fresh.aliveTimeout, .seconds(fresh.aliveFailures)] {
            sentences.append("aliveInterval, aliveTimeout and aliveFailures say nothing without alive")
        }
        if program.watch.isEmpty, !program.watchIgnore.isEmpty || program.watchDelay != fresh.watchDelay {
            sentences.append("watchIgnore and watchDelay say nothing without watch")
        }
        if program.restart == .never, !program.stopExitCodes.isEmpty {
            sentences.append("stopExitCodes says nothing with restart: never")
        }
        if program.alive != nil, program.instances != 1 {
            sentences.append(
                "alive asks the same address for each of its processes: which of them answers, nobody knows")
        }
        if program.autostart, let other = program.dependsOn.first(where: sleeping.contains) {
            sentences.append("dependsOn: it waits until somebody starts \(other), which has autostart: false")
        }
        return sentences
    }
}
