import Model
import Testing

@testable import wsctl

@Suite struct BackgroundPlanTests {
    private static func plan(
        uid: UInt32 = 1000, socket: String? = nil, _ environment: [String: String] = ["HOME": "/home/ada"],
        files: Set<String> = [], log: ConfiguredLog = ConfiguredLog()
    ) -> BackgroundPlan {
        BackgroundPlan(
            wsd: "/opt/wsd", socketFlag: socket, folder: "/srv/app", environment: environment, userID: uid,
            isFile: files.contains, ownLog: { _ in log })
    }

    @Test func withoutAConfigurationItManagesPrograms() {
        let plan = Self.plan(files: ["/etc/wsd/wsd.yaml"])
        #expect(
            plan.command == [
                "/opt/wsd", "--socket", "/tmp/wsd-1000/control.sock", "--config", "/dev/null", "--workers", "0",
                "--set",
                "log.files=always",
            ])
        #expect(plan.folder == "/")
        #expect(plan.log == "/home/ada/.local/state/wsd/logs/wsd.log")
        #expect(plan.report(pid: 7)[0].hasSuffix("(pid 7), a process manager without WebSocket workers."))
        #expect(plan.report(pid: 7)[1].contains("wsctl stop") && plan.report(pid: 7)[1].contains("install-service"))
    }

    @Test func theConfigurationOfTheFolderCounts() {
        let plan = Self.plan(socket: "run.sock", files: ["/srv/app/wsd.yaml", "/home/ada/.config/wsd/wsd.yaml"])
        #expect(
            plan.command.starts(with: ["/opt/wsd", "--socket", "/srv/app/run.sock", "--config", "/srv/app/wsd.yaml"]))
        #expect(!plan.command.contains("--workers"))
        #expect(plan.folder == "/srv/app")
        #expect(Self.plan(files: ["/home/ada/.config/wsd/wsd.yaml"]).configuration == "/home/ada/.config/wsd/wsd.yaml")
        #expect(Self.plan(["WSD_CONFIG": "x.yaml"]).configuration == "/srv/app/x.yaml")
        let root = Self.plan(uid: 0, [:], files: ["/etc/wsd/wsd.yaml"])
        #expect(root.configuration == "/etc/wsd/wsd.yaml")
        #expect(root.log == "/var/lib/wsd/logs/wsd.log")
        #expect(Self.plan([:]).log == nil)
    }

    @Test func aConfiguredLogFileStays() {
        let plan = Self.plan(log: ConfiguredLog(file: "/var/log/own.log"))
        #expect(!plan.command.contains("--set"))
        #expect(plan.report(pid: 7)[1].contains("/var/log/own.log"))
        let printed =
            "log.level: info   # default\nlog.file: \"/a b/c.log\"      # wsd.yaml:1\nlog.fileKeep: 5   # default\n"
        #expect(ConfiguredLog(printed: printed).file == "/a b/c.log")
        let folder = ConfiguredLog(
            printed:
                "log.file: none  # default\nlog.files: never  # x\nlog.folder: /logs  # x\nhistory.directory: auto  # y"
        )
        #expect(folder == ConfiguredLog(files: .never, folder: "/logs"))
        let quiet = Self.plan(log: folder)
        #expect(quiet.log == nil && !quiet.command.contains("--set"))
        #expect(Self.plan(log: ConfiguredLog(files: .always, stateDirectory: "/s")).log == "/s/logs/wsd.log")
    }

    @Test func anInstalledServiceIsNotStartedBeside() {
        let units: Set = ["/lib/systemd/system/wsd.service", "/home/ada/.config/systemd/user/wsd.service"]
        func start(_ plan: BackgroundPlan, _ uid: UInt32) -> String? {
            BackgroundPlan.installed(origin: plan.socket.origin, userID: uid, home: "/home/ada", isFile: units.contains)
        }
        #expect(start(Self.plan(uid: 0), 0) == "systemctl start wsd")
        #expect(start(Self.plan(), 1000) == "systemctl --user start wsd")
        #expect(start(Self.plan(uid: 0, socket: "/x"), 0) == nil)
    }

    @Test func lastWordsAreShown() {
        let said = (1...30).map { "line \($0)\n" }.joined()
        let text = BackgroundService.failure(78 << 8, Array(said.utf8))
        #expect(text.hasPrefix("wsd was not running, and does not start: it exited with 78. It said:\n  line 11\n"))
        #expect(text.hasSuffix("\n  line 30"))
        #expect(BackgroundService.failure(9, []).hasSuffix("it was killed by signal 9."))
    }
}
