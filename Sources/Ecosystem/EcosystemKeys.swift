/// The keys of PM2's `lib/API/schema.json` (7.0), and the other names it takes for them.
enum EcosystemKeys {
    /// Of the schema, and `cmd` and `command`, which PM2 takes for `script`.
    private static let aliases = [
        "exec": "script", "cmd": "script", "command": "script", "interpreter": "exec_interpreter",
        "interpreterArgs": "node_args", "interpreter_args": "node_args", "out": "out_file", "output": "out_file",
        "out_log": "out_file", "error": "error_file", "err": "error_file", "err_file": "error_file",
        "err_log": "error_file", "log": "log_file", "pid": "pid_file", "cron": "cron_restart",
        "combine_logs": "merge_logs", "user": "uid",
    ]

    /// Keys of which an entry is made.
    static let converted: Set<String> = [
        "script", "name", "append_env_to_name", "cwd", "args", "exec_interpreter", "node_args", "source_map_support",
        "env", "port", "filter_env", "max_memory_restart", "restart_delay", "exp_backoff_restart_delay", "wait_ready",
        "listen_timeout", "instances", "exec_mode", "instance_var", "increment_var", "kill_timeout",
        "shutdown_with_message", "treekill", "cron_restart", "autostart", "autorestart", "stop_exit_codes", "watch",
        "watch_delay", "ignore_watch", "watch_options", "min_uptime", "max_restarts", "uid", "gid",
    ]

    /// The schema's name of a key: its aliases and its camelCase form mean the same to PM2.
    static func canonical(_ written: String) -> String {
        if let key = aliases[written] { return key }
        if written.hasPrefix("env_") { return written }
        var snake = ""
        for character in written {
            if character.isUppercase { snake += "_" }
            snake += character.lowercased()
        }
        if converted.contains(snake) || others[snake] != nil { return snake }
        return aliases[snake] ?? written
    }

    private static let logs = "wsd keeps what programs write, by name and stream: `wsctl logs NAME`, and the journal"
    private static let monitoring =
        "belongs to PM2's own monitoring; figures of programs are in `wsctl list` and /metrics"

    /// Keys without a counterpart: whether something is to be done, and what there is instead.
    static let others: [String: (verdict: ImportRemark.Verdict, text: String)] = [
        "out_file": (.notNeeded, logs), "error_file": (.notNeeded, logs), "log_file": (.notNeeded, logs),
        "merge_logs": (.notNeeded, "lines of all processes are in one log, each with its process (`api:2`)"),
        "time": (.notNeeded, "every line of the log has its time"),
        "log_date_format": (.notNeeded, "every line of the log has its time, to the millisecond"),
        "log_type": (.notNeeded, "`wsctl logs --json` writes JSON"),
        "disable_logs": (
            .notNeeded, "the log is bounded and needs no files; send what nobody is to read to /dev/null"
        ),
        "pid_file": (.notNeeded, "`wsctl describe NAME` has the process ids; signals go with `wsctl signal NAME HUP`"),
        "namespace": (.notNeeded, "there are no groups; commands take several names, and `all`"),
        "name_prefix": (.notNeeded, "PM2 takes it from its command line only"),
        "install_url": (.notNeeded, "of PM2's modules"),
        "disable_source_map_support": (.notNeeded, "source maps are off unless --enable-source-maps says otherwise"),
        "vizion": (.notNeeded, "wsd does not look into repositories"),
        "execute_command": (.notNeeded, "a program is any command"),
        "force": (.notNeeded, "the same command may stand in several programs, by different names"),
        "post_update": (.toDo, "nothing is run after an update; put it where the update is made"),
        "trace": (.notNeeded, monitoring), "disable_trace": (.notNeeded, monitoring),
        "v8": (.notNeeded, monitoring), "event_loop_inspector": (.notNeeded, monitoring),
        "deep_monitoring": (.notNeeded, monitoring), "pmx": (.notNeeded, monitoring),
        "automation": (.notNeeded, monitoring), "io": (.notNeeded, monitoring),
        "username": (.notNeeded, "PM2 sets it by itself; `uid` says who runs a program"),
        "windowsHide": (.notNeeded, "of Windows"), "windows_hide": (.notNeeded, "of Windows"),
        "kill_retry_time": (.notNeeded, "the end of a process is told by the kernel, not asked for again and again"),
        "write": (.notNeeded, "of PM2's command line"),
    ]

    /// The interpreter that PM2 takes for a file (`lib/API/interpreter.json`).
    static let interpreters = [
        ".sh": "bash", ".py": "python3", ".rb": "ruby", ".php": "php", ".pl": "perl", ".js": "node", ".cjs": "node",
        ".mjs": "node", ".coffee": "coffee", ".ls": "lsc", ".ts": "bun", ".tsx": "bun",
    ]

    /// The keys of an entry, in the reference's order.
    static let entryOrder = [
        "name", "command", "instances", "autostart", "folder", "environment", "user", "group", "restart",
        "stopExitCodes", "restartDelay", "restartMaxDelay", "restartFactor", "stableAfter", "maxUnstable", "stopSignal",
        "stopTimeout", "ready", "maxMemory", "watch", "watchIgnore", "watchDelay", "cron",
    ]
}
