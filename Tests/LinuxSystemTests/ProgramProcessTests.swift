import Glibc
import Model
import Testing

@testable import LinuxSystem

extension ProcessTests {
    /// Real processes of programs. The roles are those of the program that is built beside the tests.
    @Suite(.enabled(if: Role.isBuilt, "wsd is not built beside the tests"))
    struct ProgramProcessTests {
        @Test func theProcessIsAsItWasOrdered() throws {
            let script = """
                pwd; umask; nice; ulimit -Sn; ulimit -Hc; echo $A $WSD_INSTANCE $NOTIFY_SOCKET
                [ "$LISTEN_PID" = $$ ] && echo "$LISTEN_FDS $LISTEN_FDNAMES"
                ls /proc/$$/fd | tr '\\n' ' '
                """
            let listener = try Descriptors.socketPair()
            defer { for end in [listener.ours, listener.theirs] { Descriptors.close(end) } }
            let program = try Launched(["sh", "-c", script]) {
                $0.folder = "/usr/bin"
                $0.umask = 0o27
                $0.nice = 3
                $0.limits = [ProgramLimit(resource: "core", soft: 0, hard: 0)]
                $0.softDescriptorLimit = 77
                $0.listeners = [listener.ours, listener.theirs]
                $0.listenerNames = ["a", "b"]
                $0.notifySocket = "@n"
                $0.environment += ["A=b", "LISTEN_PID=1", "WSD_INSTANCE=x"]
            }
            #expect(
                try program.output()
                    == """
                    /usr/bin
                    0027
                    3
                    77
                    0
                    b \(program.tag) @n
                    2 a:b
                    0 1 2 3 4 \n
                    """.dropLast(1))
            #expect(program.exit == .exited(0))
        }

        @Test(arguments: [
            (["no-such-program"], "there is no program “no-such-program” in PATH (/usr/bin:/bin)"),
            (["./none"], "there is no file “./none”"),
            (["/etc"], "“/etc” is a folder, no program"),
            (
                ["/etc/passwd"],
                "“/etc/passwd” may not be executed: make it executable (chmod +x), or name its interpreter before it"
            ),
        ])
        func aCommandThatCannotBeExecuted(_ command: [String], _ sentence: String) throws {
            let program = try Launched(command) { _ in }
            #expect(try program.failure() == sentence)
            #expect(program.exit == .exited(ExitCode.osError))
        }

        @Test func whatElseCanBeWrong() throws {
            #expect(
                try Launched(["true"]) { $0.folder = "/srv/none" }.failure() == "the folder /srv/none does not exist")
            #expect(try Launched(["true"]) { $0.user = "no.body" }.failure() == "there is no user “no.body”")
            #expect(
                try Launched(["true"]) { $0.limits = [ProgramLimit(resource: "x", soft: 1, hard: 1)] }.failure()
                    == "there is no resource “x” to limit")
        }

        @Test(.enabled(if: geteuid() == 0, "only root may")) func itRunsAsItsUser() throws {
            let script = "id -u; id -g; id -G; echo $HOME $USER $LOGNAME; ulimit -n"
            let program = try Launched(["sh", "-c", script]) {
                $0.user = "nobody"
                $0.environment += ["HOME=/x", "USER=root"]
                $0.ownNames = ["HOME"]
                $0.limits = [ProgramLimit(resource: "nofile", soft: 99, hard: 99)]
            }
            #expect(try program.output() == "65534\n65534\n65534\n/x nobody nobody\n99\n")
            #expect(program.root.user == 65534)
            let denied = try Launched(["true"]) {
                $0.user = "nobody"
                $0.folder = "/root"
            }
            #expect(try denied.failure() == "the user “nobody” may not enter the folder /root")
        }

        @Test func theTreeHoldsWhatLeftTheSession() throws {
            let daemons = """
                trap '' TERM
                for i in 1 2 3 4 5 6 7 8; do setsid sh -c '(echo up; exec sleep 1000) & exec true'; done
                setsid sh -c 'echo up; exec sleep 1000' &
                exec sleep 1000
                """
            let program = try Launched(["sh", "-c", daemons]) { _ in }
            try program.awaitLines(9)
            let tree = Tree(program.root)
            // Those that exec while they are looked at still carry the shell's environment.
            #expect(tree.pids().count == 10)
            let figures = tree.figures
            #expect(figures.count == 10 && figures.residentBytes > 100_000)
            #expect(tree.signal(SIGTERM) == 10)
            #expect(!tree.isGone)
            tree.killAll()
            #expect(program.exit == .signalled(SIGKILL, coreDumped: false))
            try eventually { tree.isGone }
        }

        @Test func severalTreesEndByTheSameLooks() throws {
            let daemon = "setsid sh -c '(echo up; exec sleep 1000) & exec true'; exec sleep 1000"
            let programs = try (1...3).map { _ in try Launched(["sh", "-c", daemon]) { _ in } }
            for program in programs { try program.awaitLines(1) }
            var trees = programs.map { ProgramTree(root: $0.root) }
            #expect(ProgramTree.killAll(&trees) == [false, false, false])
            #expect(programs.allSatisfy { $0.exit == .signalled(SIGKILL, coreDumped: false) })
            try eventually { ProgramTree.killAll(&trees) == [true, true, true] }
        }

        @Test func aTagWithoutTheRightsOfTheUserIsNone() throws {
            let program = try Launched(["sleep", "1000"]) { _ in }
            try program.executed()
            let liar = try Shell.spawn("exec sleep 1000", environment: ["PATH=/bin", "WSD_INSTANCE=\(program.tag)"])
            // As an orphan would be seen that another user started: not this process's child, and not of that user.
            var root = program.root
            root.user = getuid() + 1
            var entry = try #require(ProcessTable.entry(of: liar.pid))
            entry.parent = 1
            var table = ProcessTable()
            table.add(entry)
            table.readTag(of: liar.pid)
            table.add(try #require(ProcessTable.entry(of: root.pid)))
            let tree = Tree(root)
            #expect(tree.pids(in: table) == [root.pid])
            root.user = getuid()
            let trusting = Tree(root)
            #expect(trusting.pids(in: table) == [root.pid, liar.pid])
            // One that is older than the program never belongs to it, nor one that has its pid now.
            root.startTime += 1_000_000
            let later = Tree(root)
            #expect(later.pids(in: table).isEmpty)
            kill(liar.pid, SIGKILL)
            _ = try Shell.wait(liar)
        }

        @Test(.enabled(if: ProgramGroups(token: "probe") != nil, "no control group can be made here"))
        func aControlGroupHoldsEverything() throws {
            let groups = try #require(ProgramGroups(token: "t\(getpid())"))
            let group = try groups.make("test.1")
            // Without tag, session or parent.
            let script = "setsid env -i /bin/sh -c '(echo up; exec sleep 1000) & exit'; exec sleep 1000"
            let program = try Launched(["sh", "-c", script]) { $0.controlGroup = group.folder }
            try program.awaitLines(1)
            let tree = Tree(program.root)
            #expect(group.isPopulated == true)
            #expect(tree.pids(in: .read()).count == 2)
            tree.killAll()
            try eventually { tree.isGone }
            #expect(program.exit == .signalled(SIGKILL, coreDumped: false))
            tree.dissolve()
            #expect(group.isPopulated == nil)
        }

        @Test func theGuardEndsWhatAKilledSupervisorLeaves() throws {
            let script = "setsid sh -c '(echo up; exec sleep 1000) & exit'; exec sleep 1000"
            let program = try Launched(["sh", "-c", script]) { _ in }
            try program.awaitLines(1)
            let ends = try Descriptors.socketPair()
            let guardian = try ChildSpawner.spawn(
                executable: Role.program, arguments: ["wsd", "guard"], environment: ProgramSpawner.libraryEnvironment,
                descriptors: [InheritedDescriptor(source: ends.theirs, target: 3)])
            Descriptors.close(ends.theirs)
            let line = GuardBook.line(adding: program.root)
            #expect(line.withCString { write(ends.ours, $0, strlen($0)) } == line.utf8.count)
            // As at the death of whoever holds it.
            Descriptors.close(ends.ours)
            #expect(program.exit == .signalled(SIGTERM, coreDumped: false))
            let tree = Tree(program.root)
            try eventually { tree.isGone }
            #expect(try Shell.wait(guardian) == .exited(0))
        }

        @Test func theGuardGoesWithAFarewell() throws {
            let program = try Launched(["sleep", "1000"]) { _ in }
            try program.executed()
            let link = ProgramGuardLink(executable: Role.program, arguments: ["wsd", "guard"])
            let first = try link.start()
            link.add(program.root)
            kill(first.pid, SIGKILL)
            #expect(try Shell.wait(first) == .signalled(SIGKILL, coreDumped: false))
            // It hears of all that live again, more than its link holds at once.
            for number in 1...4000 {
                link.add(ProgramTreeRoot(pid: .max, startTime: UInt64(number), tag: program.tag, user: 0, group: nil))
            }
            let second = try link.start()
            link.bye()
            #expect(try Shell.wait(second) == .exited(0))
            let tree = Tree(program.root)
            #expect(!tree.isGone)
        }
    }
}

/// The program with the roles.
private enum Role {
    static let program: String = {
        let own = ProcFile.link("/proc/self/exe") ?? ""
        return own.split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/wsd"
    }()

    static var isBuilt: Bool { access(program, X_OK) == 0 }
}

/// A process of a program, ended with the test.
private final class Launched {
    let tag: String
    private let launched: LaunchedProgram
    private let out: Int32
    private lazy var ended = try? Shell.wait(launched.process)

    init(_ command: [String], _ change: (inout ProgramLaunch) -> Void) throws {
        tag = ProgramTags().tag(of: InstanceID(rawValue: 1))
        let pipe = try Descriptors.pipe()
        var launch = ProgramLaunch(
            command: command, environment: ["PATH=/usr/bin:/bin"], folder: "/", softDescriptorLimit: 1024,
            deathSignal: SIGKILL, out: pipe.write, err: pipe.write, tag: tag)
        change(&launch)
        defer { Descriptors.close(pipe.write) }
        out = pipe.read
        launched = try ProgramSpawner.spawn(launch, executable: Role.program)
    }

    deinit {
        let tree = Tree(launched.root)
        tree.killAll()
        _ = ended
        for descriptor in [out, launched.status] { Descriptors.close(descriptor) }
    }

    var root: ProgramTreeRoot { launched.root }
    var exit: ProcessExit? { ended }

    /// All that it says, to its end.
    func output() throws -> String {
        try executed()
        return try readAll(out)
    }

    func executed() throws { #expect(try failure() == "") }

    /// Why it could not be executed.
    func failure() throws -> String {
        String(try readAll(launched.status).prefix { $0 != "\n" })
    }

    /// Waits until it has said so many lines.
    func awaitLines(_ count: Int) throws {
        var lines = 0
        var chunk = [UInt8](repeating: 0, count: 4096)
        while lines < count {
            var entry = pollfd(fd: out, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 10_000) == 1 else { throw TestFailure("\(lines) lines after 10 s") }
            let size = read(out, &chunk, chunk.count)
            guard size > 0 else { throw TestFailure("it ended after \(lines) lines") }
            lines += chunk[..<size].count { $0 == UInt8(ascii: "\n") }
        }
    }
}

/// A tree that expectations can look at.
private final class Tree {
    private var tree: ProgramTree

    init(_ root: ProgramTreeRoot) { tree = ProgramTree(root: root) }

    var isGone: Bool { tree.isGone() }
    var figures: ProgramTreeFigures { tree.figures(in: .read()) }

    func pids(in table: ProcessTable = .read(.everywhere())) -> Set<Int32> { Set(tree.processes(in: table)) }

    func signal(_ number: Int32) -> Int { tree.signal(number) }
    func killAll() { tree.killAll() }
    func dissolve() { tree.dissolve() }
}

/// Asks every millisecond, for 10 seconds at most: the kernel tells nobody that a stranger's process has gone.
private func eventually(_ condition: () -> Bool) throws {
    let deadline = MonotonicTime.now() + .seconds(10)
    while !condition() {
        guard MonotonicTime.now() < deadline else { throw TestFailure("not within 10 s") }
        usleep(1000)
    }
}
