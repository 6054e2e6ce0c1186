import Model

// The keys of the service's own processes. Bounds stand also with the fields of WsdConfiguration.

private let kibibyte = 1 << 10
private let mebibyte = 1 << 20
private let gibibyte = 1 << 30
private let day = Duration.seconds(24 * 60 * 60)

extension ConfigurationSchema {
    static let general = [
        SchemaKey(
            "mode", \.mode, .choice, reload: false, flags: ["--dev", "--prod"],
            "What the defaults are for: dev (loopback, readable logs, test page and echo) or prod (all addresses, JSON logs, "
                + "neither test page nor echo)."),
        SchemaKey(
            "listen", list: \.listen, .listen, default: "[\"127.0.0.1:8080\"] in dev, [\":8080\"] in prod",
            reload: false,
            flags: ["--listen"],
            "Where the service listens, each address once. A port alone stands for all addresses, IPv6 and IPv4; port 0 lets "
                + "the kernel choose."),
    ]

    static let workers = [
        SchemaKey(
            "workers.count", \.workers.count, ValueFormat.integer(0...1024).orWord("auto", meaning: "one per core"),
            flags: ["--workers"],
            "Worker processes. 0 makes wsd a manager of programs alone: no hub, no socket for clients; a change from or to 0 takes a "
                + "restart of wsd itself."),
        SchemaKey(
            "workers.maxMemory", \.workers.maxMemory, .size(16 * mebibyte...1024 * gibibyte, zero: "no limit"),
            "Resident memory above which a worker is replaced, its clients drained as by a reload."),
        SchemaKey(
            "workers.readyTimeout", \.workers.readyTimeout, .duration(.milliseconds(100) ... .seconds(600)),
            "How long a new process may take until it is ready; one that takes longer is killed and counts as failed."),
        SchemaKey(
            "workers.heartbeatTimeout", \.workers.heartbeatTimeout, .duration(.seconds(2) ... .seconds(600)),
            "A process that is silent this long is stuck: it is killed and replaced. The heartbeat comes every second."),
    ]

    static let restart = [
        SchemaKey(
            "restart.initialDelay", \.restart.initialDelay, .duration(.milliseconds(1) ... .seconds(3600)),
            "Wait before the first restart of a process that ended soon after its start."),
        SchemaKey(
            "restart.factor", \.restart.factor, .number(1...10),
            "Each further wait is this many times the one before."),
        SchemaKey(
            "restart.maxDelay", \.restart.maxDelay, .duration(.milliseconds(1)...day),
            "Longest wait; at least restart.initialDelay."),
        SchemaKey(
            "restart.stableAfter", \.restart.stableAfter, .duration(.milliseconds(1)...day, zero: "at once"),
            "A process that was ready this long is stable: it is restarted without a wait, and the count starts anew."),
        SchemaKey(
            "restart.maxUnstable", \.restart.maxUnstable, .integer(1...1_000_000),
            "After more unstable ends in a row a worker is given up until wsctl restart. The hub never is."),
    ]

    static let reload = [
        SchemaKey(
            "reload.drainSpread", \.reload.drainSpread, .duration(.zero ... .seconds(3600)),
            "The clients of a replaced worker are closed (code 1012) evenly over this time, so that they do not all come back "
                + "at once."),
        SchemaKey(
            "reload.drainTimeout", \.reload.drainTimeout, .duration(.zero...day),
            "A replaced worker that still has clients after this time is killed; at least reload.drainSpread."),
    ]

    static let shutdown = [
        SchemaKey(
            "shutdown.lameDuck", \.shutdown.lameDuck, .duration(.zero ... .seconds(600)),
            "How long /readyz answers 503 while connections are still accepted, so that a load balancer can look away."),
        SchemaKey(
            "shutdown.drainSpread", \.shutdown.drainSpread, .duration(.zero ... .seconds(3600)),
            "Clients are closed (code 1001) evenly over this time."),
        SchemaKey(
            "shutdown.timeout", \.shutdown.timeout, .duration(.zero...day),
            "From the end of shutdown.lameDuck until what is left is killed; at least shutdown.drainSpread."),
    ]

    static let hub = [
        SchemaKey(
            "hub.requestTimeout", \.hub.requestTimeout, .duration(.milliseconds(100) ... .seconds(60)),
            "A client's request that the hub has not confirmed after this time is answered with a temporary error."),
        SchemaKey(
            "hub.heldBytes", \.hub.heldBytes, .size(64 * kibibyte...gibibyte),
            "Unconfirmed operations that one worker holds while the hub is away; above it new ones are refused."),
        SchemaKey(
            "hub.linkQueue", \.hub.linkQueue, .size(64 * kibibyte...4 * gibibyte),
            "Bytes that the hub queues for one worker that does not read before it cuts that link; four times as many "
                + "while the worker still reads."),
    ]

    static let control = [
        SchemaKey(
            "control.socket", \.control.socket,
            ValueFormat.path(maxBytes: RuntimePaths.maxControlSocketBytes).orWord("auto", meaning: "the usual place"),
            reload: false, flags: ["--socket"], variable: "WSD_SOCKET",
            "Path of the control socket. The usual place is /run/wsd/control.sock for a system service, "
                + "$XDG_RUNTIME_DIR/wsd/control.sock for a user."),
        SchemaKey(
            "control.group", \.control.group, ValueFormat.group.orWord("none"), reload: false,
            "Group whose members may do everything, besides root and the service's own user."),
        SchemaKey(
            "control.readOnlyOthers", \.control.readOnlyOthers, .boolean, reload: false,
            "Any local user may look (status, clients, logs), but change nothing."),
    ]

    static let log = [
        SchemaKey(
            "log.level", \.log.level, .choice, flags: ["--log-level"], "The least severe lines that are written."),
        SchemaKey(
            "log.format", \.log.format, .choice, reload: false, flags: ["--log-format"],
            "What goes to standard error: text for people, json one object a line; auto is text on a terminal or in dev. Where "
                + "standard error is systemd's journal, auto gives it records with fields."
        ),
        SchemaKey(
            "log.file", \.log.file, ValueFormat.path().orWord("none"),
            "One log file of all lines, besides standard error."),
        SchemaKey(
            "log.files", \.log.files, .choice,
            "A log file for each program (api.log) and one for wsd itself (wsd.log), in log.folder. With auto there is none where "
                + "the lines are kept by systemd's journal, by the runtime of a container in which wsd is process 1, or in "
                + "log.file; and in dev wsd's own begins with the first program."),
        SchemaKey(
            "log.folder", \.log.folder,
            ValueFormat.path().orWord("auto", meaning: "logs in the state directory, or systemd's LogsDirectory="),
            "Folder of log.files. Those of others that lie there are left alone."),
        SchemaKey(
            "log.fileMaxSize", \.log.fileMaxSize, .size(64 * kibibyte...1024 * gibibyte),
            "A log file is rotated when it would grow above this size (or a quarter of log.filesTotal)."),
        SchemaKey(
            "log.fileMaxAge", \.log.fileMaxAge, .duration(.seconds(60) ... .seconds(3650 * 86_400), zero: "never"),
            "A log file is rotated, too, at the first line that comes when the file has lines of so long ago."),
        SchemaKey(
            "log.fileKeep", \.log.fileKeep, .integer(0...1000),
            "Rotated files that are kept of each log file: api.log.1 is the latest."),
        SchemaKey("log.fileCompress", \.log.fileCompress, .boolean, "Compress rotated files: api.log.1.gz."),
        SchemaKey(
            "log.filesTotal", \.log.filesTotal, .size(4 * mebibyte...1024 * gibibyte),
            "All files of log.folder together. Above it the one that has most loses its oldest."),
        SchemaKey(
            "log.memoryPerChild", \.log.memoryPerChild, .size(16 * kibibyte...64 * mebibyte),
            "Recent lines of each process that wsctl logs can show, in bytes of memory."),
        SchemaKey(
            "log.memoryTotal", \.log.memoryTotal, .size(16 * kibibyte...64 * gibibyte),
            "The same over all processes; at least log.memoryPerChild."),
    ]
}
