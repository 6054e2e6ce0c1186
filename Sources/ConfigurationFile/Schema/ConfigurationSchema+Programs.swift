import Model

// The entries of programs. Bounds stand also with the fields of ProgramConfiguration.

private let mebibyte = 1 << 20
private let gibibyte = 1 << 30
private let hour = Duration.seconds(3600)
private let day = Duration.seconds(24 * 60 * 60)

extension ConfigurationSchema {
    static let programs = [
        SchemaKey(
            "programs", entries: \.programs, of: ProgramConfiguration(), program,
            allowed: "a list of programs, each with name and command",
            labelled: true, synonyms: synonyms,
            complete: { program, context in
                if program.folder == nil, !context.folder.isEmpty { program.folder = context.folder }
            },
            example: """
                - name: api
                  command: node server.js
                  folder: /srv/api
                  environment: {PORT: 3000, NODE_ENV: production}
                  ready: http://127.0.0.1:3000/healthz
                  watch: [/srv/api/src]
                - name: mails
                  command: [/srv/mails/bin/worker, --queue, mails]
                  instances: max
                  dependsOn: api
                  restart: on-failure
                """,
            "Programs that wsd starts, watches and restarts, besides its own processes: an application, a queue's workers. "
                + "wsctl start starts others at run time.")
    ]

    /// In the order of the reference.
    static let program = base + identity + restarts + health + triggers

    private static let base: [SchemaField<ProgramConfiguration>] = [
        SchemaField(
            "name", \.name, .programName, required: true, "What it is called in wsctl list, in logs and in commands."),
        SchemaField(
            "command", list: \.command, .argument, as: .words,
            allowed: "a program and its arguments, as one text or as a list of texts", most: 4096, required: true,
            "What it runs. One text is split into words as a shell does it, with quotes and backslashes; variables, wildcards "
                + "and pipes need sh -c '…'."),
        SchemaField("instances", \.instances, .instances, "Its processes. Each finds its number in WSD_NUMBER."),
        SchemaField("autostart", \.autostart, .boolean, "It starts with the service."),
        SchemaField(
            "folder", \.folder, ValueFormat.programPath.given, unset: "the folder of wsd.yaml",
            "Its working directory."),
        SchemaField(
            "environment", list: \.environment, .variable, as: .pairs, allowed: ValueFormat<String>.variable.allowed,
            most: 1024, hidesValues: true,
            "Variables on top of those that wsd itself was started with (but WSD_…, LISTEN_…, NOTIFY_SOCKET and WATCHDOG_…) and of "
                + "WSD_PROGRAM, WSD_NUMBER and WSD_SOCKET. wsctl config shows their names alone."),
        SchemaField(
            "environmentFiles", list: \.environmentFiles, .optionalPath, allowed: "a list of paths",
            "Files with NAME=value in each line, read at each start; environment is stronger. One that begins with - may be "
                + "missing."),
        SchemaField(
            "listen", list: \.listen, .listen,
            "Sockets that wsd holds open, so that no connection is refused during restarts; every process gets them as systemd "
                + "passes them (LISTEN_FDS, sd_listen_fds(3))."),
    ]

    private static let identity: [SchemaField<ProgramConfiguration>] = [
        SchemaField(
            "user", \.user, ValueFormat.user.given, unset: "the one of wsd",
            "Who it runs as; only root can change that."
        ),
        SchemaField("group", \.group, ValueFormat.group.given, unset: "the user's own", "Its group."),
        SchemaField(
            "umask", \.umask, ValueFormat.umask.given, unset: "the one of wsd",
            "Permissions that files it makes do not get (umask(2))."),
        SchemaField(
            "nice", \.nice, ValueFormat.nice.given, unset: "the one of wsd", "Its scheduling priority (nice(2))."),
        SchemaField(
            "limits", list: \.limits, .limit, as: .pairs,
            "Resource limits of setrlimit(2); sizes may have a unit. Without nofile, the soft limit on open files is the one "
                + "that wsd was started with."),
    ]

    private static let restarts: [SchemaField<ProgramConfiguration>] = [
        SchemaField(
            "restart", \.restart, .programRestart,
            "Whether it is started again when it ends by itself: always, on-failure (not after exit 0), or never."),
        SchemaField(
            "stopExitCodes", list: \.stopExitCodes, .integer(0...255), allowed: "a list of whole numbers from 0 to 255",
            "Exit codes after which it is not started again, whatever restart says."),
        SchemaField(
            "restartDelay", \.backoff.initialDelay, .duration(.milliseconds(1)...hour),
            "Wait before the first restart of a process that ended before it was stable."),
        SchemaField(
            "restartMaxDelay", \.backoff.maxDelay, .duration(.milliseconds(1)...day),
            "Longest wait; at least restartDelay."),
        SchemaField("restartFactor", \.backoff.factor, .number(1...10), "Each further wait is this many times longer."),
        SchemaField(
            "stableAfter", \.backoff.stableAfter, .duration(.milliseconds(1)...day, zero: "at once"),
            "A process that was ready this long is stable: it is restarted without a wait, and the count starts anew."),
        SchemaField(
            "maxUnstable", \.backoff.maxUnstable, .integer(1...1_000_000),
            "After more unstable ends in a row a process has failed: it is not started again until wsctl start, restart or "
                + "reset."),
        SchemaField(
            "stopSignal", \.stopSignal, .stopSignal, "What asks a process to end; it goes to the main process alone."),
        SchemaField(
            "stopTimeout", \.stopTimeout, .duration(.zero...hour),
            "From that signal to SIGKILL, which goes to everything the process has started."),
    ]

    private static let health: [SchemaField<ProgramConfiguration>] = [
        SchemaField(
            "ready", \.ready, .readiness,
            "When a process counts as ready: it has lived this long, says READY=1 (sd_notify(3)), writes a line that contains "
                + "TEXT, accepts a connection (tcp), or answers a GET with 200 to 399 (http, unix)."),
        SchemaField(
            "readyTimeout", \.readyTimeout, .duration(.milliseconds(100)...hour),
            "A process that is not ready by then is killed, and has failed."),
        SchemaField(
            "alive", \.alive, ValueFormat.probe.given, unset: "never asked",
            "What a ready process is asked again and again; one that does not answer is replaced."),
        SchemaField("aliveInterval", \.aliveInterval, .duration(.milliseconds(100)...hour), "Time between questions."),
        SchemaField(
            "aliveTimeout", \.aliveTimeout, .duration(.milliseconds(50) ... .seconds(600)), "Time for an answer."),
        SchemaField(
            "aliveFailures", \.aliveFailures, .integer(1...1000),
            "Questions in a row without an answer after which the process is replaced."),
        SchemaField(
            "maxMemory", \.maxMemory, .size(mebibyte...1024 * gibibyte, zero: "no limit"),
            "Resident memory of a process and all it has started, above which it is replaced."),
    ]

    private static let triggers: [SchemaField<ProgramConfiguration>] = [
        SchemaField(
            "watch", list: \.watch, .programPath, allowed: "a list of paths",
            "Files and folders, with all below them, whose changes restart the program."),
        SchemaField(
            "watchIgnore", list: \.watchIgnore, .line("patterns such as \"*.log\", node_modules or \"dist/**\""),
            "Changes that do not count, besides those in .git and node_modules and of editors' own files."),
        SchemaField(
            "watchDelay", \.watchDelay, .duration(.zero...hour), "How long all must be quiet before that restart."),
        SchemaField(
            "cron", \.cron, ValueFormat.cron.given, unset: "never",
            "It is restarted at these times of local time; a program that has ended is started: with restart: never, a job."
        ),
        SchemaField(
            "dependsOn", list: \.dependsOn, .line("names of programs"),
            "Programs that must be ready, or have ended well, before it starts; they are stopped after it."),
        SchemaField(
            "restartsWith", list: \.restartsWith, .line("names of programs"),
            "Programs with which it is restarted, whyever they start again."),
    ]

    /// What PM2, supervisord, systemd, Docker Compose and cron call these things.
    private static let synonyms = [
        "script": "command", "exec": "command", "execstart": "command", "cmd": "command", "run": "command",
        "program": "command", "args": "command", "arguments": "command", "interpreter": "command",
        "entrypoint": "command", "cwd": "folder", "dir": "folder", "directory": "folder", "workingdirectory": "folder",
        "workingdir": "folder", "env": "environment", "envfile": "environmentFiles", "envfiles": "environmentFiles",
        "environmentfile": "environmentFiles", "numprocs": "instances", "processes": "instances",
        "replicas": "instances", "workers": "instances", "startonboot": "autostart", "enabled": "autostart",
        "uid": "user", "runas": "user", "gid": "group", "rlimits": "limits", "ulimits": "limits",
        "limitnofile": "limits", "limitcore": "limits", "limitnproc": "limits", "autorestart": "restart",
        "restartpolicy": "restart", "exitcodes": "stopExitCodes", "successexitstatus": "stopExitCodes",
        "restartpreventexitstatus": "stopExitCodes", "restartsec": "restartDelay",
        "expbackoffrestartdelay": "restartDelay", "minuptime": "stableAfter", "startsecs": "stableAfter",
        "maxrestarts": "maxUnstable", "startretries": "maxUnstable", "startlimitburst": "maxUnstable",
        "killsignal": "stopSignal", "signal": "stopSignal", "killtimeout": "stopTimeout",
        "stopwaitsecs": "stopTimeout", "timeoutstopsec": "stopTimeout", "stopgraceperiod": "stopTimeout",
        "waitready": "ready", "listentimeout": "readyTimeout", "timeoutstartsec": "readyTimeout",
        "healthcheck": "alive", "liveness": "alive", "maxmemoryrestart": "maxMemory", "memorymax": "maxMemory",
        "memlimit": "maxMemory", "ignorewatch": "watchIgnore", "cronrestart": "cron", "schedule": "cron",
        "oncalendar": "cron", "after": "dependsOn", "requires": "dependsOn", "wants": "dependsOn",
        "partof": "restartsWith", "bindsto": "restartsWith", "sockets": "listen", "socket": "listen",
        "listenstream": "listen",
    ]
}
