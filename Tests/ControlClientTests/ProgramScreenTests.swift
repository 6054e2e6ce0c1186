import Testing
import Wire

@testable import wsctl

@Suite struct ProgramScreenTests {
    private static func process(
        _ name: String, _ number: Int, _ state: ProgramState = .ready, pid: Int32? = nil
    ) -> ProgramProcessStatus {
        var process = ProgramProcessStatus(name: "\(name):\(number)", number: number, state: state, restarts: 0)
        guard let pid else { return process }
        (process.pid, process.uptime, process.cpu, process.memory, process.tree) = (pid, 3600, 12.5, 52_428_800, 3)
        return process
    }

    private static var programs: [ProgramStatus] {
        var broken = process("jobs", 1, .backoff)
        (broken.restarts, broken.lastExit, broken.retryIn) = (4, "exited with 1", 3.2)
        var reloading = ProgramStatus(
            number: 1, name: "api", state: .ready, operation: "reload", configured: true, wanted: 2, restarts: 0,
            processes: [process("api", 1, pid: 11), process("api", 2, .starting, pid: 12)], problems: [])
        reloading.processes[1].uptime = 2
        return [
            reloading,
            ProgramStatus(
                number: 2, name: "web\u{1b}", state: .ready, operation: nil, configured: false, wanted: 1, restarts: 0,
                processes: [process("web", 1, pid: 4_194_304)], problems: []),
            ProgramStatus(
                number: 12, name: "jobs", state: .backoff, operation: nil, configured: false, wanted: 1, restarts: 4,
                processes: [broken],
                problems: ["jobs:1 exited with 1: Error: Cannot find module './x'; it is started again in 3.2 s."]),
            ProgramStatus(
                number: 13, name: "old", state: .stopped, operation: nil, configured: false, wanted: 1, restarts: 0,
                processes: [], problems: []),
        ]
    }

    private static func manager() -> ServiceStatus {
        var status = Sample.status()
        (status.managesOnly, status.workersWanted) = (true, 0)
        status.processes = [status.processes[0]]
        return status
    }

    @Test func theListBeginsWithTheWorkers() {
        #expect(
            ProgramScreen.list(Self.programs, workers: Sample.status(), .plain).joined(separator: "\n") == """
                 #  NAME     STATE           READY      PID  RESTARTS  UPTIME  CPU%  MEMORY
                 0  workers  ready             2/2        -         0   2h00m    83   62.9M
                 1  api      ready (reload)    1/2        -         0    2.0s    25    100M
                 2  web\\x1b  ready             1/1  4194304         0   1h00m    13   50.0M
                12  jobs     backoff           0/1        -         4       -     -       -
                13  old      stopped           0/1        -         0       -     -       -

                  ! jobs:1 exited with 1: Error: Cannot find module './x'; it is started again
                    in 3.2 s.
                """)
    }

    @Test func coloursByState() {
        let coloured = ProgramScreen.list(
            Self.programs, workers: Self.manager(), Style(coloured: true, width: 80)
        ).joined(separator: "\n")
        #expect(coloured.contains("\u{1b}[31mbackoff\u{1b}[0m") && coloured.contains("\u{1b}[2mstopped\u{1b}[0m"))
        #expect(!coloured.contains("workers"))
    }

    @Test func withoutProgramsItSaysHowToStartOne() {
        #expect(ProgramScreen.list([], workers: Self.manager(), .plain).count == 1)
        #expect(ProgramScreen.list([], workers: Sample.status(), .plain).last?.contains("wsctl start app.js") == true)
    }

    @Test func theStatusShowsPrograms() {
        var status = Sample.status()
        status.programs = Self.programs
        let text = StatusScreen.lines(status, .plain).joined(separator: "\n")
        #expect(text.contains("\n\n #  NAME     STATE") && text.contains("\n12  jobs     backoff"))
        #expect(!text.contains("!"))
    }

    @Test func aSupervisorAloneHasNoClients() {
        #expect(
            ProcessTable.lines(Self.manager().processes, .plain) == [
                "NAME        STATE   PID  UPTIME  RESTARTS  CPU%  MEMORY",
                "supervisor  ready  4711   3d04h         0   0.1    9.3M",
            ])
    }

    @Test func aProgramWithAllItsSettings() {
        var status = Self.programs[2]
        status.processes[0].statusText = "1 job"
        let description = ProgramDescription(
            status: status,
            settings: [
                ProgramSetting(key: "command", value: "node jobs.js", isDefault: false),
                ProgramSetting(key: "instances", value: "1", isDefault: true),
                ProgramSetting(key: "ready", value: "2s", isDefault: false),
            ], environment: ["SECRET": "x"])
        #expect(
            ProgramScreen.description(description, .plain).joined(separator: "\n") == """
                jobs · number 12 · backoff · 4 restarts · started at run time, remembered

                  ! jobs:1 exited with 1: Error: Cannot find module './x'; it is started again
                    in 3.2 s.

                PROCESS  STATE    PID  TREE  UPTIME  RESTARTS  CPU%  MEMORY
                jobs:1   backoff    -     -       -         4     -       -

                  jobs:1: 1 job, last: exited with 1, next start in 3.2 s

                  command    node jobs.js
                  ready      2s
                  instances  1  # default

                wsctl logs jobs shows its output, wsctl env jobs its environment.
                """)
    }
}
