/// What a person asked `wsctl install-service` for.
struct InstallOptions: Equatable {
    /// For the caller alone, under `systemctl --user`.
    var isUser = false
    /// Whom the system's service runs as.
    var account = Self.ownAccount
    var starts = true
    /// Only said: anybody may ask.
    var isDry = false
    /// With `--uninstall`: state, configuration and the account as well.
    var purges = false

    /// The account that is made where it is missing.
    static let ownAccount = "wsd"
}

/// Why nothing is installed or removed.
struct InstallRefusal: Error, Equatable {
    var message: String
    var status = CommandStatus.refused
}

/// One thing to do.
enum InstallStep: Equatable {
    /// Mode 0755, with missing parents.
    case makeDirectory(String)
    /// The whole file at once, mode 0644.
    case write(String, text: String)
    /// Done already, or left alone.
    case keep(String, reason: String)
    case remove(String)
    /// With all that is in it.
    case removeTree(String)
    /// Where nothing is in it.
    case removeEmptyDirectory(String)
    /// - Parameter failure: what it means that the command fails; `nil`: nothing.
    case run([String], failure: String?)

    var sentence: String {
        switch self {
        case .makeDirectory(let path): "make the folder \(path)"
        case .write(let path, _): "write \(path)"
        case .keep(let path, let reason): "keep \(path): \(reason)"
        case .remove(let path): "remove \(path)"
        case .removeTree(let path): "remove \(path) with all in it"
        case .removeEmptyDirectory(let path): "remove \(path) if nothing is in it"
        case .run(let command, _): "run \(command.joined(separator: " "))"
        }
    }
}

/// The steps, and what to say after them.
struct InstallPlan: Equatable {
    var steps: [InstallStep] = []
    var closing: [String] = []
}

/// Where things go.
enum InstallPath {
    static let units = "/etc/systemd/system"
    static let sysusers = "/etc/sysusers.d/wsd.conf"
    static let configuration = "/etc/wsd"
    static let service = units + "/wsd.service"

    static func userUnit(_ home: String) -> String { home + "/.config/systemd/user/wsd.service" }
    static func userConfiguration(_ home: String) -> String { home + "/.config/wsd" }
}

extension InstallPlan {
    /// Installs: units, account, configuration, and a start.
    static func installing(_ options: InstallOptions, _ facts: InstallFacts) throws(InstallRefusal) -> Self {
        let programs = try Self.programs(options, facts)
        return options.isUser
            ? try userService(options, facts, programs) : try systemService(options, facts, programs)
    }

    private static func systemService(
        _ options: InstallOptions, _ facts: InstallFacts, _ programs: String
    ) throws(InstallRefusal) -> Self {
        if let unit = facts.packagedUnit {
            throw InstallRefusal(
                message: """
                    The package wsd is installed, with the unit \(unit). Start it with: systemctl enable --now wsd. \
                    To have these programs in its place remove the package first: apt remove wsd
                    """)
        }
        var plan = InstallPlan()
        plan.steps += try accountSteps(options, facts)
        plan.steps += try configurationSteps(InstallPath.configuration, facts)
        let account = options.account == InstallOptions.ownAccount ? nil : options.account
        var isChanged = false
        for (file, name) in [
            (ServiceFile.service, "wsd.service"), (.instance, "wsd@.service"), (.socket, "wsd.socket"),
        ] {
            let path = "\(InstallPath.units)/\(name)"
            let step = try writing(file.adapted(programs: programs, account: account), to: path, facts)
            if case .write = step, file == .service { isChanged = true }
            plan.steps.append(step)
        }
        plan.steps.append(.run(["systemctl", "daemon-reload"], failure: "systemd did not read the units."))
        plan.steps += starting(["systemctl"], options, facts, isChanged: isChanged)
        plan.closing = [
            options.starts
                ? "The service runs, now and from every boot on. Look at it: sudo wsctl status"
                : "Start it with: sudo systemctl enable --now wsd"
        ]
        let configuration = "\(InstallPath.configuration)/wsd.yaml"
        if facts.files[configuration] == nil {
            plan.closing.append(
                """
                It listens on this machine only until `listen` in \(configuration) says otherwise; after a change of \
                that: sudo systemctl restart wsd
                """)
        }
        return plan
    }

    private static func userService(
        _ options: InstallOptions, _ facts: InstallFacts, _ programs: String
    ) throws(InstallRefusal) -> Self {
        if let unit = facts.packagedUserUnit {
            throw InstallRefusal(
                message: """
                    The package wsd is installed, with the unit \(unit). Start it with: systemctl --user enable \
                    --now wsd
                    """)
        }
        guard facts.isUserSystemdReachable || options.isDry else {
            throw InstallRefusal(
                message: """
                    Your own systemd cannot be reached, as after su or sudo -u: there is no socket of it in \
                    XDG_RUNTIME_DIR. Log in as the user, or: sudo machinectl shell USER@
                    """)
        }
        guard let home = facts.home else {
            throw InstallRefusal(message: "Your home folder is not known: HOME is not set to a path.")
        }
        var plan = InstallPlan()
        plan.steps += try configurationSteps(InstallPath.userConfiguration(home), facts)
        let path = InstallPath.userUnit(home)
        let step = try writing(ServiceFile.userService.adapted(programs: programs), to: path, facts)
        var isChanged = false
        if case .write = step { isChanged = true }
        plan.steps.append(step)
        plan.steps.append(
            .run(["systemctl", "--user", "daemon-reload"], failure: "Your systemd did not read the unit."))
        plan.steps += starting(["systemctl", "--user"], options, facts, isChanged: isChanged)
        plan.closing = [
            options.starts
                ? "The service runs. Look at it: wsctl status" : "Start it with: systemctl --user enable --now wsd",
            "So that it runs while you are not logged in: loginctl enable-linger",
            "Configuration: \(InstallPath.userConfiguration(home))/wsd.yaml",
        ]
        return plan
    }

    /// The folder of both programs, where the service can use them.
    private static func programs(_ options: InstallOptions, _ facts: InstallFacts) throws(InstallRefusal) -> String {
        guard facts.isSystemdRunning else {
            throw InstallRefusal(
                message: """
                    systemd does not run this machine, so there is nothing to install into. Have your service manager \
                    run `wsd --prod`.
                    """)
        }
        guard let programs = facts.programs, facts.hasService else {
            throw InstallRefusal(
                message: """
                    There is no program wsd beside wsctl\(facts.programs.map { " in \($0)" } ?? ""). Put both \
                    into one folder.
                    """)
        }
        let isPlain = programs.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/._+-".contains($0)) }
        guard isPlain else {
            throw InstallRefusal(
                message: """
                    The folder \(PlainText.harmless(programs)) has characters that mean something else in a \
                    unit. \(Self.remedy(programs))
                    """)
        }
        // What ProtectHome= and PrivateTmp= of the unit hide (systemd.exec(5)).
        let hidden = ["/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"]
        if !options.isUser, let folder = hidden.first(where: { (programs + "/").hasPrefix($0) }) {
            throw InstallRefusal(
                message: """
                    The programs are in \(programs), and the service sees nothing of \(folder.dropLast()). \
                    \(Self.remedy(programs))
                    """)
        }
        guard options.isDry || options.isUser == (facts.userID != 0) else {
            throw InstallRefusal(
                message: options.isUser
                    ? "--user is for a user's own service; root installs the system's: wsctl install-service"
                    : """
                    Only root may install a service: sudo wsctl install-service. One of your own needs no root: \
                    wsctl install-service --user
                    """,
                status: .notAllowed)
        }
        return programs
    }

    private static func remedy(_ programs: String) -> String {
        """
        Install them first: sudo install \(programs)/wsd \(programs)/wsctl /usr/local/bin/; sudo \
        /usr/local/bin/wsctl install-service
        """
    }

    private static func accountSteps(
        _ options: InstallOptions, _ facts: InstallFacts
    ) throws(InstallRefusal) -> [InstallStep] {
        if let account = facts.account {
            guard account.userID != 0 else {
                throw InstallRefusal(message: "The service does not run as root; name another user with --run-as.")
            }
            return [.keep("the user \(options.account)", reason: "is there")]
        }
        guard options.account == InstallOptions.ownAccount else {
            throw InstallRefusal(
                message:
                    "There is no user \(PlainText.harmless(options.account)). Make it first, or leave --run-as out.")
        }
        let failure = "The user wsd could not be made."
        if facts.hasSysusers {
            return [
                try writing("\(ServiceFile.mark)\n\(ServiceFile.sysusers.text)", to: InstallPath.sysusers, facts),
                .run(["systemd-sysusers", InstallPath.sysusers], failure: failure),
            ]
        }
        let command = [
            "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/var/lib/wsd", "--shell",
            "/usr/sbin/nologin", "--comment", InstallFacts.Account.ownComment, InstallOptions.ownAccount,
        ]
        return [.run(command, failure: failure)]
    }

    private static func configurationSteps(
        _ folder: String, _ facts: InstallFacts
    ) throws(InstallRefusal) -> [InstallStep] {
        let path = "\(folder)/wsd.yaml"
        if facts.files[path] != nil { return [.keep(path, reason: "is there")] }
        guard let example = facts.exampleConfiguration, let text = StartingConfiguration.text(example: example) else {
            throw InstallRefusal(
                message: "`wsd --print-example-config` gave no example: wsd and wsctl are not of the same version.")
        }
        return [.makeDirectory(folder), .write(path, text: text)]
    }

    private static func writing(
        _ text: String, to path: String, _ facts: InstallFacts
    ) throws(InstallRefusal) -> InstallStep {
        switch facts.files[path] {
        case nil: return .write(path, text: text)
        case text?: return .keep(path, reason: "is up to date")
        case let present?:
            guard present.hasPrefix(ServiceFile.mark) else {
                throw InstallRefusal(message: "\(path) is not of wsctl install-service. Move it away, then try again.")
            }
            return .write(path, text: text)
        }
    }

    private static func starting(
        _ systemctl: [String], _ options: InstallOptions, _ facts: InstallFacts, isChanged: Bool
    ) -> [InstallStep] {
        guard options.starts else { return [] }
        let log = options.isUser ? "journalctl --user -u wsd -n 30" : "journalctl -u wsd -n 30"
        let failure = "The service is installed and did not start; this says why: \(log)"
        if facts.isSocketActive {
            return [.keep("the service", reason: "wsd.socket starts it with the first connection")]
        }
        var steps = [
            InstallStep.run(systemctl + ["--quiet", "enable", "wsd.service"], failure: "It could not be enabled.")
        ]
        if !facts.isActive {
            steps.append(.run(systemctl + ["start", "wsd.service"], failure: failure))
        } else if isChanged {
            steps.append(.run(systemctl + ["restart", "wsd.service"], failure: failure))
        } else if facts.runsFormerProgram, let programs = facts.programs {
            steps.append(
                .run(
                    ["\(programs)/wsctl", "--socket", facts.controlSocket, "upgrade", "--all"],
                    failure:
                        "The service runs. To have the new program nevertheless: \(systemctl.joined(separator: " ")) restart wsd"
                ))
        } else {
            steps.append(.keep("the service", reason: "it runs, and this program"))
        }
        return steps
    }
}
