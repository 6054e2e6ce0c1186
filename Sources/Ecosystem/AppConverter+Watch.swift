import Model

/// When a process is ready, too big, changed, or due.
extension AppConverter {
    mutating func convertReadiness() {
        let timeout = take("listen_timeout")
        guard let (setting, flag) = takeFlag("wait_ready"), flag else {
            if let timeout { remark(timeout, .notNeeded, "a program is ready once it runs, or as `ready` says") }
            return
        }
        let guarded = "process.send is not there: `process.send?.(\"ready\")` does not fail"
        let port = variables.first { $0.name == "PORT" }.flatMap { UInt16($0.value) } ?? 0
        if sharesPort {
            remark(
                setting, .toDo,
                "set `ready` to log:TEXT, which the app writes when it serves, or to notify (sd_notify); a port that "
                    + "processes share tells nothing about one of them. \(guarded)")
        } else if increment == nil, port > 0 {
            set("ready", .text("tcp://127.0.0.1:\(port)"))
            remark(
                setting, .differs, becomes: "ready: tcp://127.0.0.1:\(port)",
                "ready when the port accepts connections. \(guarded)")
        } else {
            remark(
                setting, .toDo,
                "set `ready` to what shows it: tcp://PORT, http://127.0.0.1:PORT/health, log:TEXT of its output, or "
                    + "notify (sd_notify). \(guarded)")
        }
        if let timeout {
            remark(
                timeout, .notNeeded,
                "PM2 goes on without the app being ready then; here a program that is not ready after readyTimeout "
                    + "(30s) has failed")
        }
    }

    mutating func convertMemory() {
        guard let setting = take("max_memory_restart") else { return }
        guard let bytes = Self.size(setting.value) else {
            remark(setting, .toDo, "is no size such as 300M or 1G; left out")
            return
        }
        guard bytes > 0 else { return remark(setting, .notNeeded, "0 is no limit") }
        let size = Self.text(min(max(bytes, 1 << 20), 1 << 40))
        set("maxMemory", .bare(size))
        remark(
            setting, .differs, becomes: "maxMemory: \(size)",
            "children count, too, and it is looked at every second, where PM2 looks every 30")
    }

    /// Bytes: PM2's K, M and G are of 1024.
    private static func size(_ value: EcosystemValue) -> Int? {
        if let bytes = value.integer { return bytes >= 0 ? bytes : nil }
        var text = (value.scalar ?? "").uppercased()
        if text.hasSuffix("B") { text.removeLast() }
        guard let unit = text.last, let shift = ["K": 10, "M": 20, "G": 30][unit], let number = Int(text.dropLast()),
            (0...1 << 30).contains(number)
        else { return nil }
        return number << shift
    }

    /// As it is written in wsd.yaml.
    private static func text(_ bytes: Int) -> String {
        for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] where bytes % (1 << shift) == 0 {
            return "\(bytes >> shift)\(unit)"
        }
        return String(bytes)
    }

    // MARK: - Files

    mutating func convertWatch() {
        let ignored = take("ignore_watch")
        let delay = takeNumber("watch_delay")
        let options = take("watch_options")
        let setting = take("watch")
        var paths = setting?.value.scalars ?? []
        if setting?.value.flag == true || setting?.value == .list([]) { paths = ["."] }
        if setting?.value.flag == false { paths = [] }
        guard let setting, !paths.isEmpty else {
            if let setting, setting.value.flag != false {
                remark(setting, .toDo, "is neither true nor a list of paths; left out")
            }
            for unused in [ignored, delay?.setting, options] {
                if let unused { remark(unused, .notNeeded, "nothing is watched") }
            }
            return
        }
        let absolute = paths.map { PathText.absolute($0, in: folder) }
        set("watch", .list(absolute))
        let hasPattern = absolute.contains { $0.contains("*") || $0.contains("{") }
        remark(
            setting, hasPattern ? .toDo : .taken, becomes: "watch: [\(absolute.joined(separator: ", "))]",
            hasPattern ? "name files and folders here; patterns stand in watchIgnore" : "")
        if let ignored { convertIgnored(ignored) }
        if let delay { setTime("watchDelay", delay.number, 0...3_600_000, delay.setting) }
        if let options {
            remark(options, .notNeeded, "of chokidar; the kernel tells of changes here (inotify), nothing is polled")
        }
    }

    private mutating func convertIgnored(_ setting: Setting) {
        guard let written = setting.value.scalars else {
            return remark(setting, .toDo, "is no list of paths; left out")
        }
        let patterns = written.map { pattern in
            var pattern = pattern.hasPrefix("./") ? String(pattern.dropFirst(2)) : pattern
            while pattern.hasSuffix("/") { pattern.removeLast() }
            return pattern
        }
        // Regular expressions that are written as text never matched anything, in PM2 neither.
        let usable = patterns.filter { !$0.isEmpty && !$0.contains("\\") && !$0.contains("[") && !$0.contains("(") }
        if !usable.isEmpty { set("watchIgnore", .list(usable)) }
        remark(
            setting, usable.count == patterns.count ? .taken : .differs,
            becomes: "watchIgnore: [\(usable.joined(separator: ", "))]",
            usable.count == patterns.count ? "" : "regular expressions are left out: patterns are as in a shell")
    }

    // MARK: - Times of day

    mutating func convertCron() {
        guard let setting = take("cron_restart"), let written = setting.value.scalar else { return }
        if written == "0" || written == "false" || written.isEmpty {
            return remark(setting, .notNeeded, "PM2 takes it for no schedule")
        }
        let fields = written.split { $0 == " " || $0 == "\t" }
        // Croner's six fields begin with seconds.
        let schedule = fields.count == 6 ? fields.dropFirst().joined(separator: " ") : fields.joined(separator: " ")
        do throws(CronError) {
            _ = try CronSchedule(schedule)
        } catch {
            return remark(setting, .toDo, "left out: \(error)")
        }
        set("cron", .text(schedule))
        remark(
            setting, fields.count == 6 ? .differs : .taken, becomes: "cron: \(schedule)",
            fields.count == 6 ? "without its seconds: schedules are of minutes" : "")
    }
}
