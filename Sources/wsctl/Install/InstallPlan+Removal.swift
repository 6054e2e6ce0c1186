extension InstallPlan {
    /// Removes what ``installing(_:_:)`` wrote; with ``InstallOptions/purges`` state and configuration as well.
    static func removing(_ options: InstallOptions, _ facts: InstallFacts) throws(InstallRefusal) -> Self {
        guard options.isDry || options.isUser == (facts.userID != 0) else {
            throw InstallRefusal(
                message: options.isUser
                    ? "--user is for a user's own service; root removes the system's: wsctl install-service --uninstall"
                    : "Only root may remove a service: sudo wsctl install-service --uninstall",
                status: .notAllowed)
        }
        return options.isUser ? try removingUser(options, facts) : try removingSystem(options, facts)
    }

    private static func removingSystem(
        _ options: InstallOptions, _ facts: InstallFacts
    ) throws(InstallRefusal) -> Self {
        if options.purges, let unit = facts.packagedUnit {
            throw InstallRefusal(
                message:
                    "State and configuration belong to the package wsd (\(unit)). Remove all of it with: apt purge wsd")
        }
        let units = ["wsd.service", "wsd@.service", "wsd.socket"].map { "\(InstallPath.units)/\($0)" }
        let written = (units + [InstallPath.sysusers]).filter { facts.isWritten($0) }
        let left = options.purges ? leftovers(options, facts) : []
        guard !written.isEmpty || !left.isEmpty else {
            throw InstallRefusal(
                message:
                    "There is nothing to remove: wsctl install-service has written no unit into \(InstallPath.units).")
        }
        var plan = InstallPlan()
        if written.contains(where: units.contains), facts.isSystemdRunning {
            // The socket first: it would start the service again.
            let enabled =
                ["wsd.socket", "wsd.service"].filter { written.contains("\(InstallPath.units)/\($0)") }
                + facts.enabledInstances.sorted()
            plan.steps = [
                .run(["systemctl", "--quiet", "disable", "--now"] + enabled, failure: "The service did not stop."),
                .run(["systemctl", "stop", "wsd@*.service"], failure: "Services with a name did not stop."),
            ]
            if written.contains(InstallPath.service) {
                // /run/wsd, which systemd forgets where a start had failed and was to be tried again.
                plan.steps.append(.run(["systemctl", "clean", "--what=runtime", "wsd.service"], failure: nil))
            }
        }
        plan.steps += written.map { .remove($0) }
        if facts.isSystemdRunning {
            plan.steps += [
                .run(["systemctl", "daemon-reload"], failure: "systemd did not read the units."),
                .run(["systemctl", "reset-failed", "wsd.service", "wsd@*.service"], failure: nil),
            ]
        }
        plan.steps += left
        if facts.packagedUnit != nil {
            plan.closing = ["The package's unit stands again. Start it with: systemctl enable --now wsd"]
        } else if !options.purges {
            plan.closing = [
                """
                Kept: \(InstallPath.configuration), histories in /var/lib/wsd, logs in /var/log/wsd, and the \
                user wsd. These go with: wsctl install-service --uninstall --purge
                """
            ]
        }
        return plan
    }

    private static func leftovers(_ options: InstallOptions, _ facts: InstallFacts) -> [InstallStep] {
        var steps = facts.stateFolders.map { InstallStep.removeTree($0) }
        let configuration = "\(InstallPath.configuration)/wsd.yaml"
        if facts.files[configuration] != nil {
            steps += [.remove(configuration), .removeEmptyDirectory(InstallPath.configuration)]
        }
        if options.account == InstallOptions.ownAccount, facts.account?.isOwn == true {
            steps.append(.run(["userdel", InstallOptions.ownAccount], failure: "The user wsd could not be removed."))
        }
        return steps
    }

    private static func removingUser(_ options: InstallOptions, _ facts: InstallFacts) throws(InstallRefusal) -> Self {
        guard let home = facts.home else {
            throw InstallRefusal(message: "Your home folder is not known: HOME is not set to a path.")
        }
        let unit = InstallPath.userUnit(home)
        let folder = InstallPath.userConfiguration(home)
        var left: [InstallStep] = []
        if options.purges {
            left = facts.stateFolders.map { .removeTree($0) }
            if facts.files["\(folder)/wsd.yaml"] != nil {
                left += [.remove("\(folder)/wsd.yaml"), .removeEmptyDirectory(folder)]
            }
        }
        guard facts.isWritten(unit) || !left.isEmpty else {
            throw InstallRefusal(
                message: "There is nothing to remove: wsctl install-service has written no unit to \(unit).")
        }
        var plan = InstallPlan()
        if facts.isWritten(unit) {
            plan.steps = [
                .run(["systemctl", "--user", "--quiet", "disable", "--now", "wsd.service"], failure: nil),
                .remove(unit),
                .run(["systemctl", "--user", "daemon-reload"], failure: nil),
            ]
        }
        plan.steps += left
        if !options.purges {
            plan.closing = ["Kept: \(folder), and histories in ~/.local/state/wsd. These go with --purge."]
        }
        return plan
    }
}
