import CLinux
import Glibc
internal import Model

/// The role `exec`: becomes the program that it was told in a memory file, or says on the status pipe why it cannot.
package enum ProgramExec {
    /// Whether this process was started by ``ProgramSpawner``.
    package static var isStartedRight: Bool {
        ProcFile.link("/proc/self/fd/\(STDIN_FILENO)")?.hasPrefix("/memfd:\(ProgramSpawner.launchName)") ?? false
    }

    /// Must be the first thing that the process does, while it has one thread.
    package static func run() -> Never {
        guard let bytes = ProcFile.read("/proc/self/fd/\(STDIN_FILENO)", limit: LaunchText.maxBytes + 1),
            let launch = LaunchReader.decode(bytes)
        else { _exit(ExitCode.osError) }
        let status = ProgramSpawner.firstListener + Int32(launch.listeners)
        do throws(ProgramFailure) {
            try become(launch, status: status)
        } catch {
            // In one piece: a pipe takes this much at once.
            let text = error.description.filter { $0 != "\n" }.utf8.prefix(ProgramSpawner.maxStatusBytes - 1)
            let line = Array(text) + [UInt8(ascii: "\n")]
            _ = write(status, line, line.count)
            _exit(ExitCode.osError)
        }
    }

    private static func become(_ order: LaunchOrder, status: Int32) throws(ProgramFailure) -> Never {
        let launch = order.launch
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard null >= 0, dup2(null, STDIN_FILENO) == 0, fcntl(status, F_SETFD, FD_CLOEXEC) == 0 else {
            throw ProgramFailure("/dev/null: \(SystemError.reason(of: errno))")
        }
        if let group = launch.controlGroup { join(group) }
        // The supervisor's own protection from the kernel is not the program's.
        KillPreference.expose(child: getpid())
        var user: ProgramUser?
        if let name = launch.user { user = try ProgramUser.find(name, group: launch.group) }
        let environment = variables(order, user)
        // Made before the limits, which may leave no memory for it.
        let search = ProgramSearch(launch.command, environment)
        if let nice = launch.nice, setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Int32(clamping: nice)) != 0
        {
            throw ProgramFailure("only root may set its priority to nice \(nice)")
        }
        try changeGroups(launch, user)
        // As root, which may raise them.
        try ProgramResources.set(launch.limits, softDescriptors: launch.softDescriptorLimit)
        if let user, user.uid != getuid() || user.uid != geteuid(), setuid(user.uid) != 0 {
            throw userFailure(launch.user ?? "", errno)
        }
        if let mask = launch.umask { umask(mode_t(truncatingIfNeeded: mask & 0o777)) }
        try enter(launch)
        // Only now: a change of the user takes it away again (prctl(2)).
        if launch.deathSignal > 0 { _ = wsd_set_death_signal(launch.deathSignal) }
        // Its parent may have gone before that.
        guard getppid() == order.parent else { _exit(ExitCode.osError) }
        throw search.execute()
    }

    private static func join(_ group: String) {
        let descriptor = open("\(group)/cgroup.procs", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = write(descriptor, "0", 1)
        close(descriptor)
    }

    /// The launch's environment and what only this process knows.
    private static func variables(_ order: LaunchOrder, _ user: ProgramUser?) -> [String] {
        let launch = order.launch
        // The tag stands first: it is looked for in the first part of the environment only.
        var added = [(ProgramTags.variable, launch.tag)]
        if order.listeners > 0 {
            added += [
                ("LISTEN_FDS", String(order.listeners)), ("LISTEN_PID", String(getpid())),
                ("LISTEN_FDNAMES", launch.listenerNames.joined(separator: ":")),
            ]
        }
        if let socket = launch.notifySocket { added.append(("NOTIFY_SOCKET", socket)) }
        if let account = user?.account {
            added += [
                ("HOME", account.home), ("USER", account.name), ("LOGNAME", account.name), ("SHELL", account.shell),
            ].filter { !launch.ownNames.contains($0.0) }
        }
        let names = Set(added.map(\.0))
        let kept = launch.environment.filter { entry in
            !names.contains(String(entry.prefix { $0 != "=" }))
        }
        return added.map { "\($0.0)=\($0.1)" } + kept
    }

    private static func changeGroups(_ launch: ProgramLaunch, _ user: ProgramUser?) throws(ProgramFailure) {
        if let user {
            guard user.uid != geteuid() || user.gid != getegid() else { return }
            guard setgroups(user.groups.count, user.groups) == 0, setgid(user.gid) == 0 else {
                throw userFailure(launch.user ?? "", errno)
            }
        } else if let group = launch.group {
            let gid = try ProgramUser.gid(of: group)
            guard gid != getegid(), setgid(gid) != 0 else { return }
            throw ProgramFailure("only root may change the group to “\(group)”")
        }
    }

    private static func userFailure(_ user: String, _ code: Int32) -> ProgramFailure {
        ProgramFailure(
            code == EPERM
                ? "only root may change the user to “\(user)”"
                : "the user cannot be changed to “\(user)”: \(SystemError.reason(of: code))")
    }

    /// What a service manager has put an empty folder over that nobody may enter (`ProtectHome=`, systemd.exec(5)).
    private static func hidingPlace(of folder: String) -> String? {
        ["/home", "/root", "/run/user"].first { place in
            var status = stat()
            return (folder == place || folder.hasPrefix("\(place)/")) && stat(place, &status) == 0
                && status.st_mode & 0o777 == 0
        }
    }

    private static func enter(_ launch: ProgramLaunch) throws(ProgramFailure) {
        guard chdir(launch.folder) != 0 else { return }
        switch errno {
        case ENOENT: throw ProgramFailure("the folder \(launch.folder) does not exist")
        case ENOTDIR: throw ProgramFailure("\(launch.folder) is no folder")
        case EACCES:
            let who = launch.user.map { "the user “\($0)”" } ?? "this user"
            let why = hidingPlace(of: launch.folder).map { ": the unit hides \($0) (ProtectHome=)" } ?? ""
            throw ProgramFailure("\(who) may not enter the folder \(launch.folder)\(why)")
        case let code: throw ProgramFailure("the folder \(launch.folder): \(SystemError.reason(of: code))")
        }
    }
}
