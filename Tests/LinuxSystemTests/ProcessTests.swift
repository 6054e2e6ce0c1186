import Glibc
import Model
import Synchronization
import Testing

@testable import LinuxSystem

/// Serialized: they count this process's pidfds and children.
@Suite(.serialized)
struct ProcessTests {
    @Test func aChildHasTheNamedDescriptorsAndNothingElse() throws {
        let script = "ls -1 /proc/self/fd | sort -n | tr '\\n' ' '; readlink /proc/self/fd/0; echo to three >&3"
        let output = try Shell().run(script) {
            [InheritedDescriptor(source: $0, target: 1), InheritedDescriptor(source: $0, target: 3)]
        }
        // ls has a descriptor of the directory itself, which takes the lowest free number.
        #expect(output == "0 1 2 3 4 /dev/null\nto three\n")
    }

    @Test func sourcesMayCollideWithTargets() throws {
        let (first, second) = (try Descriptors.pipe(), try Descriptors.pipe())
        defer { for descriptor in [first.read, second.read] { Descriptors.close(descriptor) } }
        // Each one's target is the other one's source, and a third is a target of its own number.
        let descriptors = [
            InheritedDescriptor(source: first.write, target: second.write),
            InheritedDescriptor(source: second.write, target: first.write),
            InheritedDescriptor(source: second.read, target: second.read),
        ]
        // By path: the shell's own redirections know descriptors of one digit only.
        let fd = "/proc/self/fd"
        let script = """
            echo one > \(fd)/\(second.write); echo two > \(fd)/\(first.write)
            [ -e \(fd)/\(second.read) ] && echo open > \(fd)/\(second.write)
            """
        let process = try Shell.spawn(script, descriptors)
        Descriptors.close(first.write)
        Descriptors.close(second.write)
        #expect(try readAll(first.read) == "one\nopen\n")
        #expect(try readAll(second.read) == "two\n")
        #expect(try Shell.wait(process) == .exited(0))
    }

    @Test func aChildLeadsItsSessionWithDefaultSignals() throws {
        try SignalDescriptor.block([SIGUSR2])
        // Read by the shell itself: while it forks for a program it has all signals blocked.
        let output = try Shell().run(
            """
            echo $$; ps -o sid= -p $$
            while read -r key value; do
                case $key in SigBlk:|SigIgn:) echo "$key$value" ;; esac
            done < /proc/$$/status
            """)
        let lines = output.split(separator: "\n").map { $0.filter { !$0.isWhitespace } }
        try #require(lines.count == 4)
        #expect(lines[0] == lines[1])
        #expect(lines[2] == "SigBlk:0000000000000000")
        // Signals 32 and 33 are the C library's own (nptl(7)); its posix_spawn leaves them ignored.
        let ignored = try #require(UInt64(lines[3].dropFirst("SigIgn:".count), radix: 16))
        #expect(ignored & ~(3 << 31) == 0)
    }

    @Test func theEnvironmentIsWhatIsGiven() throws {
        let environment = ChildSpawner.childEnvironment(from: [
            "PATH": "/bin:/usr/bin", "A": "b=c",
            "NOTIFY_SOCKET": "/x", "LISTEN_FDS": "1", "LISTEN_PID": "1", "WATCHDOG_USEC": "1",
        ])
        #expect(environment == ["A=b=c", "PATH=/bin:/usr/bin"])
        let output = try Shell().run("env | grep -E '^(A|NOTIFY)'", environment: environment)
        #expect(output == "A=b=c\n")
    }

    @Test func aMissingProgramIsAnError() throws {
        let failure = #expect(throws: SystemError.self) {
            try ChildSpawner.spawn(executable: "/nonexistent", arguments: ["x"], environment: [], descriptors: [])
        }
        #expect(failure?.code == ENOENT)
        #expect(failure?.description == "Cannot start /nonexistent: No such file or directory")
    }

    @Test func theWatcherTellsHowEachEnded() throws {
        let ends = Ends()
        let watcher = try ProcessWatcher { ends.add($0, $1) }
        defer { watcher.stop() }
        let good = try Shell.spawn("exit 0")
        let bad = try Shell.spawn("exit 78")
        let killed = try Shell.spawn("kill -ABRT $$")
        let stuck = try Shell.spawn("exec sleep 1000")
        for process in [good, bad, killed, stuck] { try watcher.watch(process) }
        #expect(watcher.signal(stuck.pid, SIGKILL))
        let told = ends.wait(for: 4)
        #expect(told[good.pid] == .exited(0))
        #expect(told[bad.pid] == .exited(78))
        guard case .signalled(SIGABRT, _) = told[killed.pid] else { throw TestFailure("\(told)") }
        #expect(told[stuck.pid] == .signalled(SIGKILL, coreDumped: false))
        #expect(!watcher.signal(stuck.pid, SIGKILL))
        #expect(watcher.watched.isEmpty)
    }

    @Test func manyChildrenLeaveNoZombieAndNoDescriptor() throws {
        // The same at the size of a long life: 10,000, by setting WSD_SPAWNS.
        let count = Environment.current["WSD_SPAWNS"].flatMap { Int($0) } ?? 500
        let ends = Ends()
        let watcher = try ProcessWatcher { ends.add($0, $1) }
        var pids: [Int32] = []
        for number in 0..<count {
            let process = try ChildSpawner.spawn(
                executable: "/bin/true", arguments: ["true"], environment: [], descriptors: [])
            pids.append(process.pid)
            try watcher.watch(process)
            // A few live side by side.
            if number % 8 == 7 { _ = ends.wait(for: number - 3) }
        }
        #expect(ends.wait(for: count).values.allSatisfy { $0 == .exited(0) })
        let zombies = Set(pids).filter { ProcFile.text("/proc/\($0)/stat")?.contains(" Z \(getpid()) ") ?? false }
        #expect(zombies.isEmpty)
        #expect(Shell.openPidfds() == 0)
        watcher.stop()
    }

    @Test func strangersAreReapedAndTheWatchedAreTold() throws {
        let ends = Ends()
        let watcher = try ProcessWatcher { ends.add($0, $1) }
        defer { watcher.stop() }
        let strangers = try (0..<3).map { _ in try Shell.spawn("exit 3") }
        for stranger in strangers { Descriptors.close(stranger.pidfd) }
        let living = try Shell.spawn("exec sleep 1000")
        let known = try Shell.spawn("exit 4")
        // All have ended, and none is reaped yet.
        for process in strangers + [known] {
            var information = siginfo_t()
            #expect(waitid(P_PID, id_t(process.pid), &information, WEXITED | WNOWAIT) == 0)
        }
        try watcher.watch(living)
        try watcher.watch(known)
        watcher.reapStrangers()
        for stranger in strangers { #expect(kill(stranger.pid, 0) == -1 && errno == ESRCH) }
        #expect(ends.wait(for: 1) == [known.pid: .exited(4)])
        #expect(watcher.signal(living.pid, SIGKILL))
        #expect(ends.wait(for: 2)[living.pid] == .signalled(SIGKILL, coreDumped: false))
    }

    /// What ends while it is held is told by whoever watches then: here another watcher, which adopts the child by its pid.
    @Test func aHeldWatcherReapsNothing() throws {
        let ends = Ends()
        let first = try ProcessWatcher { ends.add($0, $1) }
        defer { first.stop() }
        let (told, untold) = (try Shell.spawn("exit 5"), try Shell.spawn("read line; exit 6"))
        first.hold()
        while !first.isQuiet { sched_yield() }
        for process in [told, untold] { try first.watch(process) }
        var information = siginfo_t()
        #expect(waitid(P_PID, id_t(told.pid), &information, WEXITED | WNOWAIT) == 0)
        #expect(first.watched == [told.pid, untold.pid].sorted() && first.isQuiet)
        let second = try ProcessWatcher { ends.add($0, $1) }
        defer { second.stop() }
        try second.watch(try ChildSpawner.adopt(pid: told.pid))
        #expect(ends.wait(for: 1) == [told.pid: .exited(5)])
        #expect(throws: SystemError.self) { try ChildSpawner.adopt(pid: told.pid) }
        first.release()
        #expect(first.signal(untold.pid, SIGKILL))
        // The one that was reaped by the other is told, too: how it ended is not known here.
        while first.watched != [] { sched_yield() }
    }

    @Test func watchingAfterTheStopIsRefused() throws {
        let watcher = try ProcessWatcher { _, _ in }
        watcher.stop()
        let process = try Shell.spawn("exit 0")
        #expect(throws: SystemError.self) { try watcher.watch(process) }
        var status: Int32 = 0
        #expect(waitpid(process.pid, &status, 0) == process.pid)
    }

    @Test func figuresOfAProcess() throws {
        let own = try #require(ProcessFigures.read(pid: getpid()))
        #expect(own.residentBytes > 1_000_000)
        #expect(try #require(ProcessFigures.proportionalBytes(pid: getpid())) > 500_000)
        #expect(ProcessFigures.read(pid: Int32.max) == nil)
        let odd = "4711 (a) b (c) R 1 1 1 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 100 0 0"
        let parsed = try #require(ProcessFigures.parse(statm: "1000 25 3 4 5 6 0", stat: odd))
        #expect(parsed.cpuTime == .seconds(3))
        #expect(parsed.residentBytes == 25 * sysconf(Int32(_SC_PAGESIZE)))
        #expect(ProcessFigures.parse(statm: "", stat: odd) == nil)
        #expect(ProcessFigures.parse(statm: "1 2", stat: "no name") == nil)
    }
}

/// Runs a script in /bin/sh as a child.
struct Shell {
    static func spawn(
        _ script: String, _ descriptors: [InheritedDescriptor] = [], environment: [String] = ["PATH=/usr/bin:/bin"]
    ) throws -> SpawnedProcess {
        try ChildSpawner.spawn(
            executable: "/bin/sh", arguments: ["sh", "-c", script], environment: environment, descriptors: descriptors
        )
    }

    /// Its output; by default the script's 1 is a pipe.
    func run(
        _ script: String, environment: [String] = ["PATH=/usr/bin:/bin"],
        descriptors: (Int32) -> [InheritedDescriptor] = { [InheritedDescriptor(source: $0, target: 1)] }
    ) throws -> String {
        let pipe = try Descriptors.pipe()
        defer { Descriptors.close(pipe.read) }
        let process = try Self.spawn(script, descriptors(pipe.write), environment: environment)
        Descriptors.close(pipe.write)
        let output = try readAll(pipe.read)
        _ = try Self.wait(process)
        return output
    }

    static func wait(_ process: SpawnedProcess) throws -> ProcessExit {
        let ends = Ends()
        let watcher = try ProcessWatcher { ends.add($0, $1) }
        defer { watcher.stop() }
        try watcher.watch(process)
        guard let exit = ends.wait(for: 1)[process.pid] else { throw TestFailure("it did not end") }
        return exit
    }

    static func openPidfds() -> Int {
        Descriptors.open().count { ProcFile.link("/proc/self/fd/\($0)") == "anon_inode:[pidfd]" }
    }
}

/// Collects ends on the watcher's thread for the test's.
final class Ends: Sendable {
    private let told = Mutex<[Int32: ProcessExit]>([:])
    private let count = Mutex(0)

    func add(_ pid: Int32, _ exit: ProcessExit) {
        told.withLock { $0[pid] = exit }
        count.withLock { $0 += 1 }
    }

    /// What was told once there were `number` ends, or after 30 seconds.
    func wait(for number: Int) -> [Int32: ProcessExit] {
        let deadline = MonotonicTime.now() + .seconds(30)
        while count.withLock({ $0 }) < number, MonotonicTime.now() < deadline { usleep(500) }
        return told.withLock { $0 }
    }
}
