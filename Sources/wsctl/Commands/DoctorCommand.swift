import ArgumentParser
import ControlClient
import Glibc
import Model
import Wire

struct DoctorCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Find the usual troubles and say what to do.",
        discussion: """
            Looks at the service, its processes and their log, memory, descriptors, ports, files and secrets, the history's folder, the
            control socket and the clock.
            Run it as root or as the user wsd runs as to see everything.

            Example:
              wsctl doctor

            Exit status: 0 no problem found, 1 something found.
            """)

    @OptionGroup var common: CommonOptions

    /// Log lines shown of a process in trouble.
    private static let lastWords = 3

    func perform(_ session: Session) async throws -> CommandStatus {
        var checks: [Check]
        do {
            let status = try await session.client.value(ServiceStatus.self, ControlRequest(.get, "/v1/status"))
            checks = await running(status, session)
        } catch let error as ControlClientError {
            checks = [Diagnosis.unreachable(error)] + absent(error, session)
        }
        let newest = await newestLogLine(session)
        checks.append(Diagnosis.clock(now: WallClock.now, newestLogLine: newest))
        if session.json {
            try session.output.json(ControlClient.encode(checks))
        } else {
            try session.show(DoctorScreen.lines(checks, session.style))
        }
        return checks.contains { $0.verdict == .problem } ? .unwell : .success
    }

    private func running(_ status: ServiceStatus, _ session: Session) async -> [Check] {
        var words: [String: [String]] = [:]
        for process in status.processes where [.failed, .backoff].contains(process.state) {
            words[process.name] = await lastWords(of: process, session)
        }
        var checks = Diagnosis.service(status, lastWords: words)
        let pids = status.processes.compactMap { process in process.pid.map { (process.name, $0) } }
        checks += Diagnosis.descriptors(
            pids.compactMap { name, pid in HostFacts.descriptorLimits(of: pid).map { (name, $0) } })
        checks += Diagnosis.memory(status)
        checks += Diagnosis.ports(status.addresses, HostFacts.portTable())
        if let identity = HostFacts.identity(of: status.pid) {
            checks += await files(status, identity, session)
            let directory = HostFacts.components(of: Self.parent(of: status.controlSocket)).last
            if let check = Diagnosis.runtimeDirectory(directory, expected: [0, identity.user]) { checks.append(check) }
        }
        return checks
    }

    private func files(
        _ status: ServiceStatus, _ identity: FileAccess.Identity, _ session: Session
    ) async -> [Check] {
        let entries =
            (try? await session.client.value([ConfigurationEntry].self, ControlRequest(.get, "/v1/config"))) ?? []
        let user = UserDatabase.userName(identity.user)
        var checks: [Check] = []
        // One that wsctl started has none.
        let file = status.configurationFile == "/dev/null" ? nil : status.configurationFile
        var readable = [("The configuration file", file)]
        readable.append(("The static folder", Self.path("http.staticFolder", entries)))
        for case (let what, let path?) in readable {
            checks.append(
                Diagnosis.readable(
                    path, what: what, components: HostFacts.components(of: path), by: identity, user: user))
        }
        for (what, key, isSecret) in Self.keyFiles {
            guard let path = Self.path(key, entries) else { continue }
            checks.append(
                Diagnosis.keyFile(
                    path, what: what, isSecret: isSecret, components: HostFacts.components(of: path), by: identity,
                    user: user))
        }
        if status.managesOnly != true, Diagnosis.keepsHistory(entries) {
            let folder = historyFolder(entries, status.pid, identity)
            // Without its environment nobody can tell where another user's service keeps it.
            if folder != nil || HostFacts.environment(of: status.pid) != nil {
                checks.append(Diagnosis.history(folder, by: identity, user: user))
            }
        }
        return checks
    }

    /// Files that the configuration names by these keys, and whether they are secret.
    private static let keyFiles = [
        ("The secret of tokens", "auth.secretFile", true), ("The public key of tokens", "auth.publicKeyFile", false),
        ("The key set of tokens", "auth.jwksFile", false), ("The secret of webhooks", "webhooks.secretFile", true),
    ]

    private func historyFolder(
        _ entries: [ConfigurationEntry], _ pid: Int32, _ identity: FileAccess.Identity
    ) -> HistoryFolder? {
        var configuration = HistoryConfiguration()
        configuration.directory = Self.path("history.directory", entries)
        let environment = HostFacts.environment(of: pid)
        guard configuration.directory != nil || environment != nil,
            let path = configuration.stateDirectory(environment: environment ?? [:], uid: identity.user)
        else { return nil }
        let database = HostFacts.size(of: path + "/history.sqlite")
        let log = HostFacts.size(of: path + "/history.sqlite-wal") ?? 0
        return HistoryFolder(
            path: path, components: HostFacts.components(of: path), databaseSize: database.map { $0 &+ log },
            free: HostFacts.freeSpace(at: path))
    }

    /// The absolute path that stands under a key; `nil`: none.
    private static func path(_ key: String, _ entries: [ConfigurationEntry]) -> String? {
        guard let value = entries.first(where: { $0.key == key })?.value else { return nil }
        let path = unquoted(value)
        return path.hasPrefix("/") ? path : nil
    }

    /// Why it may not be running, and what would keep it from starting.
    private func absent(_ error: ControlClientError, _ session: Session) -> [Check] {
        guard case .notRunning = error else { return [] }
        var checks: [Check] = []
        let environment = Environment.variables()
        // What lies in /run root alone has put there, whoever it belongs to.
        for path in session.client.socket.candidates where path != RuntimePaths.systemControlSocket {
            let directory = Self.parent(of: path)
            guard let found = HostFacts.components(of: directory).last, found.path == directory else { continue }
            if let check = Diagnosis.runtimeDirectory(found, expected: [0, geteuid()]) { checks.append(check) }
        }
        let named = ["WSD_PORT", "PORT", "WEBSOCKET_PORT"].lazy.compactMap { environment[$0].flatMap { UInt16($0) } }
            .first
        let port = named ?? 8080
        let listeners = HostFacts.portTable().listeners(on: port)
        checks.append(
            Diagnosis.port(
                port, isDefault: named == nil, isTaken: !listeners.isEmpty,
                holders: listeners.isEmpty ? [] : HostFacts.holders(of: Set(listeners.map(\.inode)))))
        if let limits = HostFacts.ownDescriptorLimits() {
            // wsd raises the soft limit to the hard one when it starts.
            let raised = DescriptorLimits(soft: limits.hard, hard: limits.hard, used: nil)
            checks += Diagnosis.descriptors([("A wsd started from here", raised)])
        }
        return checks
    }

    private func newestLogLine(_ session: Session) async -> Double? {
        var time: Double?
        // Without an answer the clock is judged by itself.
        try? await session.client.lines(ControlRequest(.get, "/v1/logs", query: [("lines", "1")])) { line in
            time = try ControlClient.decode(LogEntry.self, line).time
        }
        return time
    }

    private func lastWords(of process: ProcessStatus, _ session: Session) async -> [String] {
        let whose = process.worker.map { ("worker", "\($0)") } ?? ("source", process.name)
        let request = ControlRequest(
            .get, "/v1/logs", query: [whose, ("level", "warning"), ("lines", "\(Self.lastWords)")])
        var lines: [String] = []
        // The log is evidence only: without it the finding still stands.
        try? await session.client.lines(request) { line in
            let entry = try ControlClient.decode(LogEntry.self, line)
            lines.append(LogLine.text(entry, time: WallClock.text(entry.time), .plain))
        }
        return lines
    }

    /// A configuration value as it stands in YAML, without its quotes.
    private static func unquoted(_ value: String) -> String {
        guard value.count >= 2, let first = value.first, first == "\"" || first == "'", value.last == first else {
            return value
        }
        return String(value.dropFirst().dropLast())
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }
}
