import Glibc

/// What the plan depends on.
struct InstallFacts {
    struct Account: Equatable {
        var userID: UInt32
        var comment: String

        /// The comment (GECOS) of the account that the package, systemd-sysusers or useradd has made for wsd.
        static let ownComment = "wsd WebSocket service"
        var isOwn: Bool { comment == Self.ownComment }
    }

    var userID: UInt32
    var home: String?
    var isSystemdRunning = true
    /// The systemd of the calling user, which logging in starts and `su` does not.
    var isUserSystemdReachable = true
    /// Folder of wsctl, links followed.
    var programs: String?
    /// wsd is in it, too.
    var hasService = true
    /// A package's unit, where there is one.
    var packagedUnit: String?
    var packagedUserUnit: String?
    var hasSysusers = true
    /// The one that the service is to run as; `nil`: there is none.
    var account: Account?
    /// The files that are there, of those that matter, with their text. A link counts as an empty file.
    var files: [String: String] = [:]
    /// Units such as `wsd@chat.service` that start with the machine.
    var enabledInstances: [String] = []
    /// Folders of histories and logs that exist.
    var stateFolders: [String] = []
    /// What `wsd --print-example-config` says; `nil`: nothing.
    var exampleConfiguration: String?
    var isActive = false
    /// It was started from a file that is not there any more: another one has taken its place.
    var runsFormerProgram = false
    /// The control socket of the service.
    var controlSocket = "/run/wsd/control.sock"
    var isSocketActive = false

    /// Whether `wsctl install-service` has written the file.
    func isWritten(_ path: String) -> Bool { files[path]?.hasPrefix(ServiceFile.mark) == true }
}

extension InstallFacts {
    /// What this machine is like.
    static func gathered(_ options: InstallOptions) -> Self {
        var facts = Self(userID: geteuid())
        facts.home = Environment.variables()["HOME"].flatMap { $0.hasPrefix("/") && $0.count > 1 ? $0 : nil }
        // sd_booted(3).
        facts.isSystemdRunning = kind(of: "/run/systemd/system") == S_IFDIR
        // By one of these systemctl --user asks it (systemctl(1)).
        let runtime = Environment.variables()["XDG_RUNTIME_DIR"] ?? ""
        facts.isUserSystemdReachable = ["bus", "systemd/private"].contains { kind(of: "\(runtime)/\($0)") == S_IFSOCK }
        if options.isUser { facts.controlSocket = "\(runtime)/wsd/control.sock" }
        facts.programs = HostFacts.link("/proc/self/exe").flatMap { path in
            path.lastIndex(of: "/").map { String(path[..<$0]) }
        }
        facts.hasService = facts.programs.map { access($0 + "/wsd", X_OK) == 0 } ?? false
        let packaged = ["/usr/lib/systemd", "/lib/systemd"]
        facts.packagedUnit = packaged.map { $0 + "/system/wsd.service" }.first { kind(of: $0) != nil }
        facts.packagedUserUnit = packaged.map { $0 + "/user/wsd.service" }.first { kind(of: $0) != nil }
        facts.hasSysusers = ["/usr/bin", "/bin"].contains { access("\($0)/systemd-sysusers", X_OK) == 0 }
        facts.account = account(options.account)
        var paths = ["wsd.service", "wsd@.service", "wsd.socket"].map { "\(InstallPath.units)/\($0)" }
        paths += [InstallPath.sysusers, "\(InstallPath.configuration)/wsd.yaml"]
        if let home = facts.home {
            paths += [InstallPath.userUnit(home), "\(InstallPath.userConfiguration(home))/wsd.yaml"]
        }
        for path in paths {
            guard let kind = kind(of: path) else { continue }
            facts.files[path] = kind == S_IFREG ? HostFacts.text(path) ?? "" : ""
        }
        facts.enabledInstances = (HostFacts.names(in: "\(InstallPath.units)/multi-user.target.wants") ?? []).filter {
            $0.hasPrefix("wsd@") && $0.hasSuffix(".service")
        }
        facts.stateFolders = options.isUser ? userStateFolders(facts.home) : stateFolders(of: facts.account)
        facts.exampleConfiguration = facts.programs.flatMap {
            ChildCommand.output(["\($0)/wsd", "--print-example-config"])
        }
        if facts.isSystemdRunning {
            let systemctl = ["systemctl"] + (options.isUser ? ["--user"] : [])
            facts.isActive = ChildCommand.succeeds(systemctl + ["--quiet", "is-active", "wsd.service"])
            facts.isSocketActive = ChildCommand.succeeds(systemctl + ["--quiet", "is-active", "wsd.socket"])
            let pid = ChildCommand.output(systemctl + ["show", "--property=MainPID", "--value", "wsd.service"])
            // proc_pid_exe(5).
            facts.runsFormerProgram =
                pid.flatMap { Int32($0.prefix { $0 != "\n" }) }.flatMap { HostFacts.link("/proc/\($0)/exe") }?
                .hasSuffix(" (deleted)") ?? false
        }
        return facts
    }

    /// The service's, and those of services with a name: `wsd-NAME`, which belong to its account.
    private static func stateFolders(of account: Account?) -> [String] {
        ["/var/lib", "/var/log"].flatMap { parent in
            (HostFacts.names(in: parent) ?? []).sorted().filter { name in
                if name == "wsd" { return true }
                guard name.hasPrefix("wsd-"), let owner = account?.userID else { return false }
                var status = stat()
                return lstat("\(parent)/\(name)", &status) == 0 && status.st_uid == owner
            }
            .map { "\(parent)/\($0)" }
            .filter { kind(of: $0) == S_IFDIR }
        }
    }

    private static func userStateFolders(_ home: String?) -> [String] {
        [home.map { $0 + "/.local/state/wsd" }].compactMap { $0 }.filter { kind(of: $0) == S_IFDIR }
    }

    private static func account(_ name: String) -> Account? {
        guard let entry = getpwnam(name) else { return nil }
        return Account(
            userID: entry.pointee.pw_uid, comment: entry.pointee.pw_gecos.map { String(cString: $0) } ?? "")
    }

    /// `S_IFREG`, `S_IFDIR` and so on, links not followed; `nil`: nothing there.
    private static func kind(of path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
    }
}
