import ControlClient
import Testing
import Wire

@testable import wsctl

@Suite struct DiagnosisTests {
    private static func problems(_ checks: [Check]) -> [String] {
        checks.filter { $0.verdict == .problem }.map(\.finding)
    }

    @Test func aHealthyServiceHasNoFindings() {
        #expect(
            Diagnosis.service(Sample.status(), lastWords: [:]) == [
                .ok("wsd 0.1.0 answers on /run/wsd/control.sock (pid 4711)."), .ok("All 4 processes run."),
            ])
    }

    @Test func programsAreCounted() {
        var status = Sample.status()
        (status.managesOnly, status.processes) = (true, [status.processes[0]])
        status.programs = [ProgramState.ready, .stopped].map {
            ProgramStatus(
                number: 1, name: "a", state: $0, operation: nil, configured: false, wanted: 1, restarts: 0,
                processes: [],
                problems: [])
        }
        #expect(
            Diagnosis.service(status, lastWords: [:]).dropFirst() == [
                .ok("The supervisor runs."), .ok("1 of 2 programs is ready or finished; a is stopped."),
            ])
    }

    @Test func aProgramsProblemIsAdviceWhereItNamesACommand() {
        var status = Sample.status()
        status.health = .degraded
        status.problems = ["a:1 exited with 1; it is started again at once.", "a:2 is given up. See `wsctl logs a`."]
        status.programs = [
            ProgramStatus(
                number: 1, name: "a", state: .backoff, operation: nil, configured: false, wanted: 1, restarts: 0,
                processes: [], problems: status.problems)
        ]
        let checks = Diagnosis.service(status, lastWords: [:])
        #expect(checks.filter { $0.verdict == .problem }.map(\.advice) == ["Look with `wsctl logs a`.", nil])
    }

    @Test func workersInTroubleComeWithTheirLastWords() {
        var status = Sample.status()
        status.health = .degraded
        status.problems = ["Worker 2 has failed.", "The log file cannot be written."]
        status.processes[3] = Sample.gone(2, .failed, restarts: 17, lastExit: "was killed by SIGSEGV")
        status.processes[2] = Sample.gone(1, .backoff, restarts: 2, lastExit: "exited with 1", retryIn: 3.2)
        let checks = Diagnosis.service(status, lastWords: ["worker 2": ["ERROR out of memory"]])
        #expect(
            Array(checks.dropFirst()) == [
                .problem(
                    "worker 1 exited with 1; it is started again in 3.2 s.",
                    "See why with `wsctl logs --worker 1`."),
                .problem(
                    "worker 2 has been given up after too many unstable starts; the last time it was killed by SIGSEGV.",
                    """
                    See why with `wsctl logs --worker 2`, put it right, and revive it with `wsctl restart worker:2`.
                    """, evidence: ["ERROR out of memory"]),
                .problem("The log file cannot be written.", "Look with `wsctl logs --level warning`."),
            ])
    }

    @Test func degradedWithoutAReasonIsAProblemStill() {
        var status = Sample.status()
        status.health = .degraded
        #expect(Self.problems(Diagnosis.service(status, lastWords: [:])) == ["The service says that it is degraded."])
    }

    @Test func noticesTheHubAndLosses() {
        var status = Sample.status()
        status.processes[2].counters?.hubLinks = 0
        status.processes[3].counters?.acceptPauses = 3
        status.totals.slowClientsClosed = 1
        status.totals.logLinesDropped = 1000
        status.processes[3].restarts = 3
        status.processes[3].lastExit = "was killed by SIGKILL"
        let checks = Diagnosis.service(status, lastWords: [:])
        #expect(
            Self.problems(checks) == [
                "Without a link to the hub: worker 1. Messages do not reach other workers.",
                "Accepting paused 3 times because no descriptor was free.",
            ])
        #expect(
            checks.filter { $0.verdict == .note }.map(\.finding) == [
                "worker 2 has been started anew 3 times; the last time unplanned, it was killed by SIGKILL.",
                "1 client closed for reading too slowly.", "1,000 log lines dropped: more came than could be taken.",
            ])
    }

    @Test func anotherVersionIsWorthANote() {
        var status = Sample.status()
        status.version = "0.0.9"
        #expect(Diagnosis.service(status, lastWords: [:])[1].finding == "This wsctl is 0.1.0, the service runs 0.0.9.")
    }

    @Test func descriptors() {
        let plenty = DescriptorLimits(soft: 65_536, hard: 65_536, used: 20)
        #expect(
            Diagnosis.descriptors([("hub", plenty), ("worker 1", DescriptorLimits(soft: nil, hard: nil, used: 7))])
                == [.ok("Each process may have up to 65,536 descriptors; the most in use are 20.")])
        let checks = Diagnosis.descriptors([
            ("hub", plenty), ("worker 1", DescriptorLimits(soft: 1000, hard: 1000, used: 800)),
            ("worker 2", DescriptorLimits(soft: 1000, hard: 1000, used: nil)),
        ])
        #expect(checks.map(\.verdict) == [.problem, .note])
        #expect(checks[0].finding == "worker 1 has 800 of 1,000 descriptors in use.")
    }

    @Test func readsLimits() {
        let text = """
            Limit                     Soft Limit           Hard Limit           Units
            Max processes             1                    2                    processes
            Max open files            1024                 unlimited            files
            """
        #expect(DescriptorLimits(limits: text, used: 3) == DescriptorLimits(soft: 1024, hard: nil, used: 3))
        #expect(DescriptorLimits(limits: "", used: nil) == nil)
        #expect(DescriptorLimits(limits: "Max open files x y", used: nil) == nil)
        #expect(DescriptorLimits(limits: "Max open files 1", used: nil) == nil)
    }

    @Test func ports() {
        var table = PortTable()
        table.add(
            """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 54321 1 0 100 0 0 10 0
               1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 54322 1 0 20 4 30 10 -1
               2: garbage
            """)
        table.add("sl\n 0: 00000000000000000000000000000000:0050 0:0 0A 0:0 00:0 0 0 0 99 1\n")
        #expect(table.listeners(on: 8080) == [PortTable.Listener(port: 8080, inode: 54321)])
        #expect(table.listeners(on: 80) == [PortTable.Listener(port: 80, inode: 99)])
        #expect(
            Diagnosis.ports(["http://127.0.0.1:8080", "http://[::]:80", "unix:/run/a:9"], table).map(\.verdict) == [.ok]
        )
        #expect(
            Self.problems(Diagnosis.ports(["http://127.0.0.1:81"], table)) == [
                "Nothing listens on port 81 in this network namespace."
            ])
        #expect(Diagnosis.ports(["unix:/run/a.sock"], table).isEmpty)
        #expect(Diagnosis.port(of: "http://127.0.0.1:8080/") == 8080)
    }

    @Test func whoHoldsThePort() {
        #expect(
            Diagnosis.port(8080, isDefault: true, isTaken: false, holders: [])
                == .ok("Port 8080, wsd's default, is free."))
        #expect(
            Diagnosis.port(9000, isDefault: false, isTaken: true, holders: [SocketHolder(pid: 12, name: "node")])
                == .problem(
                    "Port 9000, which your environment names, is held by node (pid 12).",
                    "End it (kill 12), or start wsd with --port."))
        #expect(Diagnosis.port(80, isDefault: false, isTaken: true, holders: []).verdict == .problem)
        // systemd keeps it over a restart: nothing to be ended.
        let kept = Diagnosis.port(
            8080, isDefault: true, isTaken: true, holders: [SocketHolder(pid: 1, name: "systemd")])
        #expect(kept.verdict == .note && kept.advice?.contains("kill") == false)
    }

    @Test func filesThatTheServiceCannotRead() {
        func component(_ path: String, _ mode: UInt32, user: UInt32 = 0, group: UInt32 = 0) -> FileAccess.Component {
            FileAccess.Component(path: path, user: user, group: group, mode: mode, isDirectory: path != "/srv/site/a")
        }
        let wsd = FileAccess.Identity(user: 990, groups: [990, 33])
        let open = [component("/", 0o755), component("/srv", 0o755), component("/srv/site", 0o750, group: 33)]
        #expect(FileAccess.obstacle(open, for: wsd) == nil)
        #expect(FileAccess.obstacle(open, for: FileAccess.Identity(user: 7, groups: [7]))?.path == "/srv/site")
        #expect(FileAccess.obstacle(open + [component("/srv/site/a", 0o600)], for: wsd)?.path == "/srv/site/a")
        #expect(FileAccess.obstacle([component("/", 0o700)], for: FileAccess.Identity(user: 0, groups: [])) == nil)
        // The owner's bits count for the owner, even where the others' would allow more.
        #expect(FileAccess.obstacle([component("/", 0o077, user: 990)], for: wsd)?.path == "/")
        #expect(
            Diagnosis.readable(
                "/srv/site", what: "The static folder",
                components: [component("/", 0o755), component("/srv", 0o700)] + [
                    component("/srv/site", 0o755)
                ], by: wsd, user: "wsd")
                == .problem(
                    "The static folder /srv/site cannot be read by wsd, the user wsd runs as: /srv has mode 700.",
                    "chmod a+rx /srv, or change its owner or group."))
        #expect(
            Diagnosis.readable(
                "/srv/site", what: "The static folder", components: [component("/", 0o755)], by: wsd, user: "wsd"
            )
            .verdict == .problem)
    }

    @Test func readsIdentities() {
        let text = "Name:\twsd\nUid:\t990\t991\t991\t991\nGid:\t980\t981\t981\t981\nGroups:\t33 44 \n"
        #expect(FileAccess.identity(status: text) == FileAccess.Identity(user: 991, groups: [981, 33, 44]))
        #expect(FileAccess.identity(status: "Uid:\n") == nil)
    }

    @Test func runtimeDirectories() {
        func directory(_ user: UInt32, _ mode: UInt32) -> FileAccess.Component {
            FileAccess.Component(path: "/tmp/wsd-7", user: user, group: 0, mode: mode, isDirectory: true)
        }
        #expect(Diagnosis.runtimeDirectory(directory(7, 0o700), expected: [0, 7]) == nil)
        #expect(Diagnosis.runtimeDirectory(directory(7, 0o1777), expected: [0, 7]) == nil)
        #expect(Diagnosis.runtimeDirectory(directory(8, 0o700), expected: [0, 7])?.verdict == .problem)
        #expect(Diagnosis.runtimeDirectory(directory(7, 0o770), expected: [0, 7])?.verdict == .problem)
    }

    @Test func clocks() {
        #expect(Diagnosis.clock(now: 1_795_240_800, newestLogLine: 1_795_240_801).verdict == .ok)
        #expect(Diagnosis.clock(now: 1_795_240_800, newestLogLine: nil).verdict == .ok)
        #expect(Diagnosis.clock(now: 0, newestLogLine: nil).verdict == .problem)
        #expect(
            Diagnosis.clock(now: 1_795_240_800, newestLogLine: 1_795_244_400).finding
                == "The system clock went back: the newest log line is 1 h ahead of it.")
    }

    @Test func theScreenSaysWhatToDo() {
        let checks: [Check] = [
            .ok("All is well here."), .problem("Worker 1 ended.", "Look at its log.", evidence: ["ERROR no"]),
            .note("Hm."),
        ]
        #expect(
            DoctorScreen.lines(checks, .plain) == [
                "ok       All is well here.", "PROBLEM  Worker 1 ended.", "         | ERROR no",
                "         -> Look at its log.",
                "note     Hm.", "", "1 problem found.",
            ])
        #expect(DoctorScreen.lines([], .plain) == ["", "No problem found."])
    }

    @Test func looksAtThisProcess() throws {
        let limits = try #require(HostFacts.ownDescriptorLimits())
        #expect(try #require(limits.used) > 2)
        let root = try #require(HostFacts.components(of: "/").first)
        #expect(root.path == "/" && root.isDirectory)
        #expect(HostFacts.components(of: "/proc/self/nothing").last?.path == "/proc/self")
    }
}
