/// What to type here instead of words of PM2 that wsctl does not have.
enum PM2Words {
    /// - Returns: `nil` where it is no word of PM2.
    static func command(_ typed: String) -> String? { commands[typed.lowercased()] }

    /// Of the options between a command and `--`.
    ///
    /// - Parameter arguments: as ``Invocation/normalized(_:)`` makes them.
    static func complaint(_ arguments: [String]) -> String? {
        guard let command = arguments.first, ["start", "restart", "reload"].contains(command) else { return nil }
        for word in arguments.dropFirst() {
            if word == "--command" || word == "--" { return nil }
            let option = word.hasPrefix("--") ? String(word.prefix { $0 != "=" }) : word
            guard let here = (command == "start" ? startOptions : restartOptions)[option] else { continue }
            return "\(option) is an option of PM2. Here: \(here)."
        }
        return nil
    }

    private static let commands = [
        "kill": "`wsctl stop`, which ends wsd with its programs",
        "info": "`wsctl describe NAME`", "desc": "`wsctl describe NAME`", "pid": "`wsctl describe NAME`",
        "id": "`wsctl list`", "jlist": "`wsctl list --json`", "prettylist": "`wsctl list --json`",
        "sendsignal": "`wsctl signal NAME SIGNAL`", "attach": "`wsctl logs NAME -f`",
        "startup": "`wsctl install-service`, or the Debian package",
        "unstartup": "`wsctl install-service --uninstall`",
        "reloadlogs": "nothing has to be done, the log is bounded",
        "dump": "nothing has to be saved, what is started is remembered", "cleardump": "`wsctl delete all`",
        "ping": "`wsctl status`", "report": "`wsctl doctor`", "plus": "`wsctl dashboard`",
        "gracefulreload": "`wsctl reload NAME`", "softreload": "`wsctl reload NAME`",
        "ecosystem": "`programs:` of wsd.yaml; `wsctl import FILE` takes an ecosystem file over",
        "init": "`programs:` of wsd.yaml; `wsctl import FILE` takes an ecosystem file over",
        "deploy": "let git, rsync or CI bring the files, then `wsctl reload NAME`",
        "serve": "a server of files is a program: wsctl start -- python3 -m http.server 8000",
    ]

    private static let startOptions = [
        "-n": "--name NAME", "--no-autorestart": "--restart never", "--max-memory-restart": "--max-memory SIZE",
        "--cron-restart": "--cron TIMES", "-c": "--cron TIMES", "--restart-delay": "--set restartDelay=TIME",
        "--exp-backoff-restart-delay": "--set restartDelay=TIME", "--max-restarts": "--set maxUnstable=N",
        "--min-uptime": "--set stableAfter=TIME", "--stop-exit-codes": "--set stopExitCodes=CODE",
        "--kill-timeout": "--stop-timeout TIME", "-k": "--stop-timeout TIME",
        "--listen-timeout": "--set readyTimeout=TIME",
        "--wait-ready": "--ready notify, where the program says READY=1, or --ready tcp://PORT",
        "--ignore-watch": "--ignore PATTERN", "--watch-delay": "--set watchDelay=TIME",
        "--interpreter": "wsctl start -- INTERPRETER FILE", "--exec-interpreter": "wsctl start -- INTERPRETER FILE",
        "--interpreter-args": "wsctl start -- INTERPRETER ARGUMENT… FILE",
        "--node-args": "wsctl start -- node ARGUMENT… FILE",
        "--uid": "--user USER", "--gid": "--set group=GROUP",
        "--update-env": "--env-file FILE, which is read at each start",
        "--namespace": "nothing; commands take several names, and `all`", "-f": "another --name",
        "--force": "another --name",
        "-o": logs, "--output": logs, "-e": logs, "--error": logs, "-l": logs, "--log": logs, "--merge-logs": logs,
        "--time": logs, "--log-date-format": logs, "--log-type": logs, "--disable-logs": logs,
        "--attach": "wsctl logs NAME -f", "--no-daemon": "wsd --workers 0, in the foreground",
    ]

    private static let restartOptions = [
        "--update-env": "an --env-file of `wsctl start` is read at each start"
    ]

    private static let logs = "nothing has to be set; `wsctl logs NAME` has all it writes, with time and stream"
}
