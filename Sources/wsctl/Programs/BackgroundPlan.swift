import Model

/// How wsd is started in the background. Pure: what lies where is an argument.
struct BackgroundPlan: Equatable {
    var command: [String]
    /// Working directory.
    var folder: String
    /// `nil`: nothing says where one could be.
    var log: String?
    var socket: RuntimePaths
    /// `nil`: a process manager without workers.
    var configuration: String?

    /// - Parameters:
    ///   - wsd: path of the program.
    ///   - socketFlag: `--socket`.
    ///   - folder: the caller's.
    ///   - environment: the caller's.
    ///   - userID: effective user id of the caller.
    ///   - isFile: whether a file is there.
    ///   - ownLog: where the configuration has the log, given its file.
    init(
        wsd: String, socketFlag: String?, folder: String, environment: [String: String], userID: UInt32,
        isFile: (String) -> Bool, ownLog: (String) -> ConfiguredLog
    ) {
        let flag = socketFlag.map { StartPlan.absolute($0, from: folder) }
        socket = RuntimePaths(explicit: flag, environment: environment, uid: userID)
        configuration = Self.configuration(folder, environment, userID, isFile)
        let ownLog = ownLog(configuration ?? "/dev/null")
        log = ownLog.path(environment: environment, userID: userID)
        command = [wsd, "--socket", socket.controlSocket]
        if let configuration {
            self.folder = folder
            command += ["--config", configuration]
        } else {
            // Nothing of it is relative; a folder that a process is in cannot be unmounted.
            self.folder = "/"
            command += ["--config", "/dev/null", "--workers", "0"]
        }
        // Nobody reads its standard error.
        if ownLog.file == nil, ownLog.files == .auto { command += ["--set", "log.files=always"] }
    }

    /// The file that wsd would find by itself. That in `/etc` is the system's: it counts for root.
    private static func configuration(
        _ folder: String, _ environment: [String: String], _ userID: UInt32, _ isFile: (String) -> Bool
    ) -> String? {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let named = value("WSD_CONFIG") { return StartPlan.absolute(named, from: folder) }
        var candidates = [StartPlan.absolute("wsd.yaml", from: folder)]
        if let home = value("XDG_CONFIG_HOME") ?? value("HOME").map({ $0 + "/.config" }), home.hasPrefix("/") {
            candidates.append(home + "/wsd/wsd.yaml")
        }
        if userID == 0 { candidates.append("/etc/wsd/wsd.yaml") }
        return candidates.first(where: isFile)
    }

    /// How to start the service that is installed for this socket already; `nil`: none is.
    static func installed(
        origin: RuntimePaths.Origin, userID: UInt32, home: String?, isFile: (String) -> Bool
    ) -> String? {
        guard origin != .chosen else { return nil }
        if userID == 0 {
            let folders = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"]
            return folders.contains { isFile($0 + "/wsd.service") } ? "systemctl start wsd" : nil
        }
        return home.map { isFile($0 + "/.config/systemd/user/wsd.service") } == true
            ? "systemctl --user start wsd" : nil
    }

    /// What is told once it runs.
    func report(pid: Int32) -> [String] {
        let what = configuration.map { "with \($0)" } ?? "a process manager without WebSocket workers"
        let look = log.map { "Its log: \($0) (wsctl logs -f)." } ?? "Its log: wsctl logs -f."
        return [
            "wsd was not running: started one in the background (pid \(pid)), \(what).",
            "\(look) End it with its programs: wsctl stop. Have it always: wsctl install-service",
        ]
    }

    /// Variables by which a service manager speaks to the process it started (sd_notify(3), sd_listen_fds(3)), which are the
    /// caller's, if anybody's; and the one that wsctl sets for itself.
    static let foreignVariables: Set<String> = [
        "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "LIBDISPATCH_LOG", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "MANAGERPID", "FDSTORE",
    ]
}
