/// What `pm2 save` writes (`~/.pm2/dump.pm2`): a record for each process, with all of PM2's own values and the whole environment
/// of the shell that it was started from.
enum PM2Dump {
    /// Whether these are such records.
    static func isDump(_ records: [[EcosystemMember]]) -> Bool {
        !records.isEmpty
            && records.allSatisfy { record in
                record.contains { $0.key == "pm_exec_path" } && !record.contains { $0.key == "script" }
            }
    }

    /// The apps: processes of one name are one app. PM2's modules are left out.
    static func apps(_ records: [[EcosystemMember]]) -> (apps: [[EcosystemMember]], remarks: [ImportRemark]) {
        var apps: [(name: String, members: [EcosystemMember], count: Int)] = []
        var places: [String: Int] = [:]
        var modules: [String] = []
        for record in records {
            let name = record.last { $0.key == "name" }?.value.scalar ?? ""
            if record.contains(where: { $0.key == "pmx_module" && $0.value == .boolean(true) }) {
                modules.append(name)
            } else if let place = places[name] {
                apps[place].count += 1
            } else {
                places[name] = apps.count
                apps.append((name, app(record), 1))
            }
        }
        var remarks = [
            ImportRemark(
                "env", "", .toDo,
                "PM2's dump holds the whole environment of the shell that started PM2: what belongs to sessions was left "
                    + "out; look through the rest (`wsctl env NAME`)")
        ]
        if !modules.isEmpty {
            remarks.append(
                ImportRemark(
                    "modules", modules.joined(separator: ", "), .notNeeded, "of PM2; wsd bounds its log itself"))
        }
        let counted = apps.map { app in
            app.count == 1 ? app.members : app.members + [EcosystemMember("instances", .number(String(app.count)))]
        }
        return (counted, remarks)
    }

    private static func app(_ record: [EcosystemMember]) -> [EcosystemMember] {
        var app: [EcosystemMember] = []
        for member in record {
            switch member.key {
            case "pm_exec_path": app.append(EcosystemMember("script", member.value))
            case "pm_cwd": app.append(EcosystemMember("cwd", member.value))
            case "env":
                let own = (member.value.members ?? []).filter { isOwn($0.key) && $0.value.members == nil }
                app.append(EcosystemMember("env", .object(own)))
            case "status" where member.value == .text("stopped"):
                app.append(EcosystemMember("autostart", .boolean(false)))
            case "instances", "port", "autostart": continue
            default:
                // The environment stands among these keys once more.
                let isSetting = EcosystemKeys.converted.contains(member.key) && defaults[member.key] != member.value
                if isSetting, member.value != .list([]) { app.append(member) }
            }
        }
        return app
    }

    /// What PM2 writes where nothing was set.
    private static let defaults: [String: EcosystemValue] = [
        "autorestart": .boolean(true), "treekill": .boolean(true), "watch": .boolean(false),
        "instance_var": .text("NODE_APP_INSTANCE"), "exec_mode": .text("fork_mode"), "filter_env": .boolean(false),
    ]

    /// Variables of a login, of a terminal, of PM2 and of a service manager.
    private static let foreign: Set<String> = [
        "_", "PWD", "OLDPWD", "SHLVL", "TERM", "TERM_PROGRAM", "COLORTERM", "COLUMNS", "LINES", "HOME", "USER",
        "LOGNAME",
        "SHELL", "MAIL", "HOSTNAME", "DISPLAY", "WINDOWID", "LS_COLORS", "LESSOPEN", "LESSCLOSE", "HISTCONTROL",
        "HISTSIZE",
        "PS1", "TMUX", "TMUX_PANE", "STY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "INVOCATION_ID",
        "JOURNAL_STREAM", "NOTIFY_SOCKET", "MANAGERPID", "SYSTEMD_EXEC_PID", "NODE_APP_INSTANCE", "NODE_CHANNEL_FD",
        "NODE_UNIQUE_ID", "NODE_CHANNEL_SERIALIZATION_MODE", "unique_id", "km_link", "vizion_running", "io",
    ]

    private static func isOwn(_ name: String) -> Bool {
        !foreign.contains(name)
            && !["PM2_", "SSH_", "XDG_", "SUDO_", "LISTEN_", "WATCHDOG_", "npm_", "VSCODE_"].contains(
                where: name.hasPrefix)
    }
}
