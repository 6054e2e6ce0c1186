import Testing

@testable import wsctl

@Suite struct InstallPlanTests {
    /// A machine with systemd, the programs in /usr/local/bin, and nothing of wsd yet.
    private var fresh: InstallFacts {
        var facts = InstallFacts(userID: 0)
        facts.programs = "/usr/local/bin"
        facts.home = "/root"
        facts.exampleConfiguration = "# Where.\n#listen: [\"127.0.0.1:8080\"]\n#mode: dev\n"
        return facts
    }

    /// The same machine after a plan was carried out.
    private func after(_ plan: InstallPlan, _ facts: InstallFacts) -> InstallFacts {
        var facts = facts
        for step in plan.steps {
            switch step {
            case .write(let path, let text): facts.files[path] = text
            case .remove(let path): facts.files[path] = nil
            case .run(let command, _):
                if command.first == "systemd-sysusers" || command.first == "useradd" {
                    facts.account = .init(userID: 990, comment: InstallFacts.Account.ownComment)
                }
                if command.last == "wsd.service", command.contains("start") { facts.isActive = true }
                if command.contains("disable") { facts.isActive = false }
            default: break
            }
        }
        return facts
    }

    private func commands(_ plan: InstallPlan) -> [String] {
        plan.steps.compactMap { step in
            guard case .run(let command, _) = step else { return nil }
            return command.joined(separator: " ")
        }
    }

    private func written(_ plan: InstallPlan) -> [String: String] {
        plan.steps.reduce(into: [:]) { result, step in
            if case .write(let path, let text) = step { result[path] = text }
        }
    }

    private func refusal(_ body: () throws(InstallRefusal) -> InstallPlan) -> InstallRefusal? {
        do throws(InstallRefusal) {
            _ = try body()
            return nil
        } catch {
            return error
        }
    }

    @Test func installsAllOnAFreshMachine() throws {
        let plan = try InstallPlan.installing(InstallOptions(), fresh)
        let files = written(plan)
        #expect(
            files.keys.sorted() == [
                "/etc/systemd/system/wsd.service", "/etc/systemd/system/wsd.socket", "/etc/systemd/system/wsd@.service",
                "/etc/sysusers.d/wsd.conf", "/etc/wsd/wsd.yaml",
            ])
        #expect(
            commands(plan) == [
                "systemd-sysusers /etc/sysusers.d/wsd.conf", "systemctl daemon-reload",
                "systemctl --quiet enable wsd.service", "systemctl start wsd.service",
            ])
        let unit = try #require(files["/etc/systemd/system/wsd.service"])
        #expect(unit.hasPrefix(ServiceFile.mark + "\n"))
        #expect(unit.contains("\nExecStart=/usr/local/bin/wsd --prod\n"))
        #expect(unit.contains("\nExecStartPre=/usr/local/bin/wsd --prod --check-config\n"))
        #expect(unit.contains("\nExecReload=/usr/local/bin/wsctl reload\n"))
        #expect(unit.contains("\nUser=wsd\nGroup=wsd\n"))
        #expect(!unit.contains("/usr/bin/"))
        #expect(
            files["/etc/systemd/system/wsd@.service"]?.contains("/usr/local/bin/wsd --prod --config /etc/wsd/%i.yaml")
                == true)
    }

    @Test func aSecondTimeChangesNothing() throws {
        let first = try InstallPlan.installing(InstallOptions(), fresh)
        let facts = after(first, fresh)
        let second = try InstallPlan.installing(InstallOptions(), facts)
        #expect(written(second).isEmpty)
        #expect(commands(second) == ["systemctl daemon-reload", "systemctl --quiet enable wsd.service"])
    }

    @Test func aNewUnitIsFollowedByARestart() throws {
        var facts = after(try InstallPlan.installing(InstallOptions(), fresh), fresh)
        facts.programs = "/opt/wsd/bin"
        let plan = try InstallPlan.installing(InstallOptions(), facts)
        #expect(written(plan).keys.sorted() == ["/etc/systemd/system/wsd.service", "/etc/systemd/system/wsd@.service"])
        #expect(commands(plan).last == "systemctl restart wsd.service")
    }

    @Test func newProgramsTakeTheServiceOver() throws {
        var facts = after(try InstallPlan.installing(InstallOptions(), fresh), fresh)
        facts.runsFormerProgram = true
        let plan = try InstallPlan.installing(InstallOptions(), facts)
        #expect(
            commands(plan).last == "/usr/local/bin/wsctl --socket /run/wsd/control.sock upgrade --all")
        // What has changed in the unit needs a start.
        facts.programs = "/opt/wsd/bin"
        #expect(
            commands(try InstallPlan.installing(InstallOptions(), facts)).last == "systemctl restart wsd.service")
    }

    @Test func anOperatorsConfigurationIsKept() throws {
        var facts = fresh
        facts.files["/etc/wsd/wsd.yaml"] = "workers:\n  count: 2\n"
        let plan = try InstallPlan.installing(InstallOptions(), facts)
        #expect(written(plan)["/etc/wsd/wsd.yaml"] == nil)
        #expect(plan.steps.contains(.keep("/etc/wsd/wsd.yaml", reason: "is there")))
        #expect(!plan.closing.contains { $0.contains("this machine only") }, "it may say something else")
    }

    @Test func aNewConfigurationListensHereOnly() throws {
        let example = try #require(fresh.exampleConfiguration)
        let text = try #require(StartingConfiguration.text(example: example))
        #expect(text.contains("\nlisten: [\"127.0.0.1:8080\"]\n#mode: dev\n"))
        #expect(text.split(separator: "\n").filter { !$0.hasPrefix("#") }.count == 1)
        #expect(StartingConfiguration.text(example: "#mode: dev\n") == nil)
    }

    @Test func withoutSysusersTheUserIsMadeByUseradd() throws {
        var facts = fresh
        facts.hasSysusers = false
        let plan = try InstallPlan.installing(InstallOptions(), facts)
        #expect(commands(plan).first?.hasPrefix("useradd --system ") == true)
        #expect(written(plan)["/etc/sysusers.d/wsd.conf"] == nil)
    }

    @Test func anotherUserStandsInTheUnits() throws {
        var facts = fresh
        facts.account = .init(userID: 1000, comment: "Ada")
        let plan = try InstallPlan.installing(InstallOptions(account: "ada"), facts)
        let unit = try #require(written(plan)["/etc/systemd/system/wsd.service"])
        #expect(unit.contains("\nUser=ada\n") && !unit.contains("\nGroup="))
        #expect(!commands(plan).contains { $0.contains("sysusers") })
        facts.account = nil
        #expect(refusal { () throws(InstallRefusal) in try .installing(InstallOptions(account: "ada"), facts) } != nil)
        facts.account = .init(userID: 0, comment: "root")
        #expect(refusal { () throws(InstallRefusal) in try .installing(InstallOptions(account: "root"), facts) } != nil)
    }

    @Test func installsWithoutAStart() throws {
        let plan = try InstallPlan.installing(InstallOptions(starts: false), fresh)
        #expect(commands(plan).last == "systemctl daemon-reload")
        #expect(plan.closing.first == "Start it with: sudo systemctl enable --now wsd")
    }

    @Test func leavesAnActivatedServiceToItsSocket() throws {
        var facts = fresh
        facts.isSocketActive = true
        let plan = try InstallPlan.installing(InstallOptions(), facts)
        #expect(commands(plan).last == "systemctl daemon-reload")
    }

    @Test(arguments: [
        ("/home/ada/wsd", "sees nothing of /home"), ("/run/user/1000/bin", "sees nothing of /run/user"),
        ("/opt/my programs", "characters that mean something else"),
    ])
    func refusesProgramsThatTheServiceCannotUse(folder: String, words: String) {
        var facts = fresh
        facts.programs = folder
        let refused = refusal { () throws(InstallRefusal) in try .installing(InstallOptions(), facts) }
        #expect(refused?.message.contains(words) == true)
        #expect(refused?.message.contains("sudo install") == true)
    }

    @Test func saysWhyItRefuses() {
        func words(_ change: (inout InstallFacts) -> Void) -> String {
            var facts = fresh
            change(&facts)
            return refusal { () throws(InstallRefusal) in try .installing(InstallOptions(), facts) }?.message ?? ""
        }
        #expect(words { $0.userID = 1000 }.hasPrefix("Only root"))
        #expect(words { $0.isSystemdRunning = false }.hasPrefix("systemd does not run this machine"))
        #expect(
            words { $0.hasService = false }
                == "There is no program wsd beside wsctl in /usr/local/bin. Put both into one folder.")
        #expect(words { $0.packagedUnit = "/lib/systemd/system/wsd.service" }.hasPrefix("The package wsd is installed"))
        #expect(
            words { $0.files["/etc/systemd/system/wsd.service"] = "[Unit]\n" }
                == "/etc/systemd/system/wsd.service is not of wsctl install-service. Move it away, then try again.")
        #expect(words { $0.exampleConfiguration = nil }.contains("not of the same version"))
    }

    @Test func anybodyMayAskWhatWouldBeDone() throws {
        var facts = fresh
        facts.userID = 1000
        #expect(try !InstallPlan.installing(InstallOptions(isDry: true), facts).steps.isEmpty)
    }

    @Test func removesWhatItWroteAndNothingElse() throws {
        let facts = after(try InstallPlan.installing(InstallOptions(), fresh), fresh)
        let plan = try InstallPlan.removing(InstallOptions(), facts)
        let left = after(plan, facts)
        #expect(left.files.keys.sorted() == ["/etc/wsd/wsd.yaml"])
        #expect(commands(plan).first == "systemctl --quiet disable --now wsd.socket wsd.service")
        #expect(!commands(plan).contains { $0.hasPrefix("userdel") })
        #expect(
            refusal { () throws(InstallRefusal) in try .removing(InstallOptions(), left) }?.message.hasPrefix(
                "There is nothing to remove") == true)
    }

    @Test func removalLeavesFilesOfOthers() throws {
        var facts = after(try InstallPlan.installing(InstallOptions(), fresh), fresh)
        facts.files["/etc/systemd/system/wsd.socket"] = "[Socket]\n"
        facts.enabledInstances = ["wsd@chat.service"]
        let plan = try InstallPlan.removing(InstallOptions(), facts)
        #expect(!plan.steps.contains(.remove("/etc/systemd/system/wsd.socket")))
        #expect(commands(plan).first == "systemctl --quiet disable --now wsd.service wsd@chat.service")
    }

    @Test func aPurgeTakesStateAndAccount() throws {
        var facts = after(try InstallPlan.installing(InstallOptions(), fresh), fresh)
        facts.stateFolders = ["/var/lib/wsd", "/var/log/wsd-chat"]
        let plan = try InstallPlan.removing(InstallOptions(purges: true), facts)
        #expect(after(plan, facts).files.isEmpty)
        #expect(
            Array(plan.steps.suffix(5)) == [
                .removeTree("/var/lib/wsd"), .removeTree("/var/log/wsd-chat"), .remove("/etc/wsd/wsd.yaml"),
                .removeEmptyDirectory("/etc/wsd"),
                .run(["userdel", "wsd"], failure: "The user wsd could not be removed."),
            ])
        facts.account = .init(userID: 1000, comment: "somebody's")
        #expect(!commands(try InstallPlan.removing(InstallOptions(purges: true), facts)).contains("userdel wsd"))
        facts.packagedUnit = "/lib/systemd/system/wsd.service"
        #expect(
            refusal { () throws(InstallRefusal) in try .removing(InstallOptions(purges: true), facts) }?.message
                .contains("apt purge wsd")
                == true)
    }

    @Test func aUsersServiceStaysInTheHome() throws {
        var facts = fresh
        (facts.userID, facts.home, facts.programs) = (1000, "/home/ada", "/home/ada/wsd")
        let options = InstallOptions(isUser: true)
        facts.isUserSystemdReachable = false
        #expect(
            refusal { () throws(InstallRefusal) in try .installing(options, facts) }?.message.contains("after su")
                == true)
        facts.isUserSystemdReachable = true
        let plan = try InstallPlan.installing(options, facts)
        #expect(
            written(plan).keys.sorted() == [
                "/home/ada/.config/systemd/user/wsd.service", "/home/ada/.config/wsd/wsd.yaml",
            ])
        #expect(
            commands(plan) == [
                "systemctl --user daemon-reload", "systemctl --user --quiet enable wsd.service",
                "systemctl --user start wsd.service",
            ])
        let installed = after(plan, facts)
        #expect(written(try InstallPlan.installing(options, installed)).isEmpty)
        let removal = try InstallPlan.removing(options, installed)
        #expect(after(removal, installed).files.keys.sorted() == ["/home/ada/.config/wsd/wsd.yaml"])
    }
}
