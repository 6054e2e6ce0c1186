import ControlClient
import Glibc
import LinuxSystem
import Model
import Wire

extension Session {
    /// Starts wsd in the background, waits until it answers, and says so on standard error.
    func startService(socket: String?, folder: String, environment: [String: String]) async throws {
        let home = environment["HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        let isFile = { (path: String) in
            if case .file = WorkingFolder.kind(path) { true } else { false }
        }
        guard let wsd = BackgroundService.program(environment, isFile) else {
            throw StartComplaint(
                """
                wsd is not running, and there is no program wsd, neither beside wsctl nor in your PATH, that could \
                be started.
                """, status: .notRunning)
        }
        let plan = BackgroundPlan(
            wsd: wsd, socketFlag: socket, folder: folder, environment: environment, userID: geteuid(), isFile: isFile,
            ownLog: { BackgroundService.configuredLog(wsd, $0) })
        let systemd = WorkingFolder.kind("/run/systemd/system") == .folder
        if systemd,
            let start = BackgroundPlan.installed(
                origin: plan.socket.origin, userID: geteuid(), home: home, isFile: isFile)
        {
            throw StartComplaint(
                "wsd is installed as a service and not running. Start it: \(start)", status: .notRunning)
        }
        let service = try BackgroundService(plan, folder: folder, environment)
        let pid = try await service.answer { self.remark($0) }
        // Another one may have been started at the same time.
        guard pid == service.pid else { return }
        for line in plan.report(pid: pid) { remark(line) }
    }
}

/// A wsd that was started and does not answer yet.
struct BackgroundService {
    /// Until its control socket answers.
    static let patience = Duration.seconds(30)
    /// Between two looks.
    static let interval = Duration.milliseconds(25)
    /// From then on somebody who waits is told so.
    static let quietTime = Duration.seconds(2)
    /// For which another one that was started at the same time may take to answer.
    static let rivalTime = Duration.seconds(1)
    /// Of what it says before it ends: lines that are shown, and bytes that are kept.
    static let lastLines = 20
    static let lastBytes = 64 * 1024

    let pid: pid_t
    private let words: Int32
    private let socket: String
    private let log: String?

    /// - Parameter folder: the one to be in again afterwards.
    init(_ plan: BackgroundPlan, folder: String, _ environment: [String: String]) throws {
        if let log = plan.log { Self.makeFolder(of: log) }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ControlClientError.system("No pipe: \(String(cString: strerror(errno))).") }
        ends.forEach { _ = fcntl($0, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        var isStarted = false
        defer { if !isStarted { close(ends[0]) } }
        defer { close(ends[1]) }
        // A child begins in the folder that its parent is in.
        guard chdir(plan.folder) == 0 else {
            throw ControlClientError.system("\(plan.folder) cannot be entered: \(String(cString: strerror(errno))).")
        }
        defer { chdir(folder) }
        let variables = environment.filter { !BackgroundPlan.foreignVariables.contains($0.key) }
        let child = try Self.spawned(plan.command, variables, output: ends[1])
        isStarted = true
        close(child.pidfd)
        (pid, words) = (child.pid, ends[0])
        (socket, log) = (plan.socket.controlSocket, plan.log)
    }

    private static func spawned(
        _ command: [String], _ variables: [String: String], output: Int32
    ) throws(StartComplaint) -> SpawnedProcess {
        do {
            return try ChildSpawner.spawn(
                executable: command[0], arguments: command, environment: variables.map { "\($0.key)=\($0.value)" },
                descriptors: [STDOUT_FILENO, STDERR_FILENO].map { InheritedDescriptor(source: output, target: $0) })
        } catch {
            throw StartComplaint("\(error)", status: .notRunning)
        }
    }

    /// Waits until it, or another one that was faster, answers.
    ///
    /// - Parameter tell: gets a sentence where it takes long.
    /// - Returns: the pid of the one that answers.
    func answer(_ tell: (String) -> Void) async throws -> Int32 {
        defer { close(words) }
        let client = ControlClient(socket: ControlSocket(candidates: [socket]))
        let clock = ContinuousClock()
        let start = clock.now
        var said: [UInt8] = []
        var isTold = false
        var ending: (status: Int32, at: ContinuousClock.Instant)?
        while clock.now - start < Self.patience {
            if let status = try? await client.value(ServiceStatus.self, ControlRequest(.get, "/v1/status")) {
                return status.pid
            }
            read(into: &said)
            var status: Int32 = 0
            if ending == nil, waitpid(pid, &status, WNOHANG) == pid {
                ending = (status, clock.now)
                read(into: &said)
            }
            // One that another was faster than ends, too; that other one may still be starting.
            if let ending, Self.isFinal(ending.status) || clock.now - ending.at > Self.rivalTime {
                throw StartComplaint(Self.failure(ending.status, said), status: .notRunning)
            }
            if !isTold, clock.now - start > Self.quietTime {
                isTold = true
                tell("wsctl: waiting for wsd (pid \(pid)) to answer on \(socket)")
            }
            try await Task.sleep(for: Self.interval)
        }
        let look = log.map { " See \($0)." } ?? ""
        throw StartComplaint(
            "wsd was started (pid \(pid)) and does not answer on \(socket) after 30 s.\(look)", status: .noAnswer
        )
    }

    /// Whether the caller's own wsd, in its usual state directory, knows programs that were started with wsctl.
    static func remembersPrograms() -> Bool {
        let folder = HistoryConfiguration().stateDirectory(environment: Environment.variables(), uid: geteuid())
        let state = folder.flatMap { HostFacts.text($0 + "/programs.json") }
        return state?.contains("\"entry\"") ?? false
    }

    static func configuredLog(_ wsd: String, _ configuration: String) -> ConfiguredLog {
        ConfiguredLog(printed: ChildCommand.output([wsd, "--config", configuration, "--print-config"]) ?? "")
    }

    /// Beside wsctl, links followed; else in `PATH`.
    static func program(_ environment: [String: String], _ isFile: (String) -> Bool) -> String? {
        var folders: [String] = []
        if let own = HostFacts.link("/proc/self/exe"), let slash = own.lastIndex(of: "/") {
            folders.append(String(own[..<slash]))
        }
        folders += (environment["PATH"] ?? "").split(separator: ":").map(String.init).filter { $0.hasPrefix("/") }
        return folders.map { $0 + "/wsd" }.first { isFile($0) && access($0, X_OK) == 0 }
    }

    /// Whether it ended for a wrong configuration (`EX_CONFIG` of sysexits.h), not because another one runs.
    private static func isFinal(_ ended: Int32) -> Bool { ended == 78 << 8 }

    /// The sentence on one that ended, and its last words.
    static func failure(_ ended: Int32, _ said: [UInt8]) -> String {
        // wait(2): the low seven bits are the signal.
        let how =
            ended & 0x7f == 0 ? "it exited with \((ended >> 8) & 0xff)" : "it was killed by signal \(ended & 0x7f)"
        let lines = String(decoding: said, as: UTF8.self).split(separator: "\n").suffix(lastLines)
        let head = "wsd was not running, and does not start: \(how)."
        return lines.isEmpty ? head : "\(head) It said:\n\(lines.map { "  \($0)" }.joined(separator: "\n"))"
    }

    private func read(into said: inout [UInt8]) {
        var piece = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = Glibc.read(words, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            said = (said + piece[..<count]).suffix(Self.lastBytes)
        }
    }

    /// Mode 0700, as wsd makes it for histories.
    private static func makeFolder(of path: String) {
        var folder = ""
        for part in path.split(separator: "/").dropLast() {
            folder += "/\(part)"
            mkdir(folder, 0o700)
        }
    }
}
