import Model
import Testing
import Wire

@testable import wsctl

@Suite struct StatusScreenTests {
    private static func screen(_ status: ServiceStatus, _ style: Style = .plain) -> String {
        StatusScreen.lines(status, style).joined(separator: "\n")
    }

    @Test func aHealthyService() {
        #expect(
            Self.screen(Sample.status()) == """
                wsd 0.1.0 · ok · pid 4711 · up 3 d 4 h · prod · under systemd
                  addresses    http://0.0.0.0:8080  http://[::]:8080
                  control      /run/wsd/control.sock
                  config       /etc/wsd/wsd.yaml

                NAME        STATE   PID  UPTIME  RESTARTS  CLIENTS  IN/S  OUT/S  CPU%  MEMORY
                supervisor  ready  4711   3d04h         0        -     -      -   0.1    9.3M
                hub         ready  4712   3d04h         0        -     -      -   3.1   20.0M
                worker 1    ready  4713   2h00m         0      602   617  22.8k    41   31.5M
                worker 2    ready  4714   2h00m         0      602   617  22.8k    41   31.5M

                total: 1,204 clients, 31 rooms, 1234 msg/s in, 45.7k out, 11.8 MiB in,
                       9.2 GiB out, 1 restart
                """)
    }

    @Test func aManagerOfPrograms() {
        var status = Sample.status()
        (status.managesOnly, status.addresses, status.workersWanted) = (true, [], 0)
        status.processes = [status.processes[0]]
        let screen = Self.screen(status)
        #expect(screen.contains("addresses    none: it keeps programs alone (workers.count: 0)\n"))
        #expect(!screen.contains("total:"))
    }

    @Test func aTroubledService() {
        var status = Sample.status()
        status.health = .degraded
        (status.operation, status.underSystemd) = ("reload", false)
        status.problems = ["Worker 3 has failed: it was killed by SIGSEGV 17 times in a row. Look at its log."]
        status.processes = [
            Sample.worker(1, pid: 5001), Sample.worker(1, pid: 4713, state: .draining),
            Sample.gone(2, .backoff, restarts: 14, lastExit: "exited with 1", retryIn: 3.2),
            Sample.gone(3, .failed, restarts: 17, lastExit: "killed by SIGSEGV"),
        ]
        (status.totals.handshakesRefused, status.totals.logLinesDropped) = (2, 4000)
        #expect(
            Self.screen(status) == """
                wsd 0.1.0 · degraded · pid 4711 · up 3 d 4 h · prod
                  addresses    http://0.0.0.0:8080  http://[::]:8080
                  control      /run/wsd/control.sock
                  config       /etc/wsd/wsd.yaml
                  running now  reload

                  ! Worker 3 has failed: it was killed by SIGSEGV 17 times in a row. Look at its
                    log.
                  ! worker 2: exited with 1, next start in 3.2 s

                NAME      STATE      PID  UPTIME  RESTARTS  CLIENTS  IN/S  OUT/S  CPU%  MEMORY
                worker 1  ready     5001   2h00m         0      602   617  22.8k    41   31.5M
                worker 1  draining  4713   2h00m         0      602   617  22.8k    41   31.5M
                worker 2  backoff      -       -        14        -     -      -     -       -
                worker 3  failed       -       -        17        -     -      -     -       -

                total: 1,204 clients, 31 rooms, 1234 msg/s in, 45.7k out, 11.8 MiB in,
                       9.2 GiB out, 1 restart, 2 refused, 4,000 log lines dropped
                """)
    }

    @Test func aServiceThatHasJustStarted() {
        var status = Sample.status()
        (status.health, status.uptime, status.mode) = (.starting, 0.31, .dev)
        (status.configurationFile, status.underSystemd, status.processes) = (nil, false, [])
        (status.addresses, status.totals, status.version) = ([], ServiceTotals(), "9.9.9")
        #expect(
            Self.screen(status) == """
                wsd 9.9.9 · starting · pid 4711 · up 0.3 s · dev
                  addresses    none
                  control      /run/wsd/control.sock

                NAME  STATE  PID  UPTIME  RESTARTS  CLIENTS  IN/S  OUT/S  CPU%  MEMORY

                total: 0 clients, 0 rooms, 0 msg/s in, 0 out, 0 B in, 0 B out, 0 restarts

                note: this wsctl is 0.1.0, the service runs 9.9.9.
                """)
    }

    @Test func namesWhatStillRunsTheProgramFromBefore() {
        var status = Sample.status()
        for index in status.processes.indices { status.processes[index].version = WsdVersion.current }
        #expect(!Self.screen(status).contains("note:"))
        for index in [1, 3] { status.processes[index].version = "0.0.9" }
        #expect(
            Self.screen(status).hasSuffix(
                "note: hub, worker 2 still run wsd 0.0.9, the supervisor \(WsdVersion.current): `wsctl restart` replaces them."
            ))
    }

    @Test func fitsEightyColumnsWithLongFigures() {
        var status = Sample.status()
        var worker = Sample.worker(1024, pid: 4_194_304, state: .stopping)
        (worker.restarts, worker.uptime, worker.cpu, worker.memory) = (9_999_999, 3599, 100, 1_099_000_000)
        worker.counters?.clients = 1_000_000
        (worker.messagesInPerSecond, worker.messagesOutPerSecond) = (123_456, 99_999_999)
        status.processes.append(worker)
        let widest = StatusScreen.lines(status, .plain).map(PlainText.width).max() ?? 0
        #expect(widest <= 80)
    }

    @Test func coloursOnlyWhereWanted() {
        var status = Sample.status()
        status.problems = ["Something \u{1b}[31mis wrong"]
        #expect(!Self.screen(status).contains("\u{1b}"))
        let coloured = Self.screen(status, Style(coloured: true, width: 80))
        #expect(coloured.contains("\u{1b}[32mok\u{1b}[0m"))
        #expect(coloured.contains("\u{1b}[1;31m!\u{1b}[0m Something \\x1b[31mis wrong"))
    }
}
