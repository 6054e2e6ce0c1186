import Glibc
import Testing

@testable import LinuxSystem

/// Memory of programs' control groups, in folders with files as the kernel's; and a real hierarchy where there is one.
struct ProgramGroupTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func write(_ text: String, _ name: String) throws {
        let file = try #require(fopen(directory.file(name), "w"))
        fputs(text, file)
        fclose(file)
    }

    private func read(_ name: String) -> String? { ProcFile.text(directory.file(name)) }

    @Test func memoryIsWhatStaysAndKillsAreCounted() throws {
        let group = ProgramGroup(folder: directory.path)
        #expect(group.memory == nil && group.memoryKills == nil && group.cpuTime == nil)
        try write("anon 700\nfile 9000\nkernel 80\nshmem 50\ninactive_anon 600\n", "memory.stat")
        try write("low 0\nhigh 0\nmax 9\noom 4\noom_kill 3\noom_group_kill 0\n", "memory.events")
        try write("usage_usec 1500\nuser_usec 1000\n", "cpu.stat")
        #expect(group.memory == 750)
        #expect(group.memoryKills == 3)
        #expect(group.cpuTime == .microseconds(1500))
    }

    @Test func aTreeIsMeasuredByItsGroup() throws {
        let own = try #require(ProcessTable.entry(of: getpid()))
        var table = ProcessTable()
        // Its supervisor would not count itself.
        let other = try #require(ProcessTable.entry(of: getppid()))
        table.add(other)
        var root = ProgramTreeRoot(pid: other.pid, startTime: other.startTime, tag: "", user: nil, group: nil)
        var tree = ProgramTree(root: root)
        #expect(tree.figures(in: table).residentBytes == other.residentPages * sysconf(Int32(_SC_PAGESIZE)))
        try write("anon 700\nshmem 50\n", "memory.stat")
        try write("usage_usec 7000000000000\n", "cpu.stat")
        root.group = directory.path
        tree = ProgramTree(root: root)
        #expect(tree.figures(in: table).residentBytes == 750)
        // More than its processes took: those that have ended are in it.
        #expect(tree.figures(in: table).cpuTime == .seconds(7_000_000))
        #expect(own.pid != other.pid)
    }

    @Test func memoryIsCountedWhereItCanBe() throws {
        try write("", "cgroup.subtree_control")
        try write("cpu io pids", "cgroup.controllers")
        ProgramGroups.countMemory(in: directory.path)
        #expect(read("cgroup.subtree_control") == "")
        try write("cpu memory pids\n", "cgroup.controllers")
        ProgramGroups.countMemory(in: directory.path)
        #expect(read("cgroup.subtree_control") == "+memory")
        try write("memory\n", "cgroup.subtree_control")
        ProgramGroups.countMemory(in: directory.path)
        #expect(read("cgroup.subtree_control") == "memory\n")
        #expect(access(directory.file(ControlGroups.ownLeaf), F_OK) != 0)
    }

    /// The one above it is the service's, where its limits are.
    @Test func theOwnLeafIsNoGroupOfItsOwn() {
        let mount = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
        let groups = ControlGroups(own: "0::/a.slice/wsd.service/\(ControlGroups.ownLeaf)\n", mounts: mount)
        #expect(groups == ControlGroups(own: "0::/a.slice/wsd.service\n", mounts: mount))
        #expect(groups.unified.first?.first == "/sys/fs/cgroup/a.slice/wsd.service")
    }

    @Test(.enabled(if: ProgramGroups(token: "probe") != nil, "no control group can be made here"))
    func onlyOnesOwnProcessesGoToTheLeaf() throws {
        let group = try #require(ProgramGroups(token: "v\(getpid())")).make("test.1")
        let sleepers = try (0..<2).map { _ in
            try Shell.spawn("echo $$ >\(group.folder)/cgroup.procs; (sleep 1000); true", environment: ["PATH=/bin"])
        }
        defer {
            group.kill()
            for sleeper in sleepers {
                kill(sleeper.pid, SIGKILL)
                _ = try? Shell.wait(sleeper)
            }
            while group.isPopulated == true { usleep(1000) }
            group.remove()
        }
        while group.processes.count < 4 { usleep(1000) }
        #expect(!ProgramGroups.vacate(group.folder, root: sleepers[0].pid))
        let leaf = "\(group.folder)/\(ControlGroups.ownLeaf)"
        #expect(ProcFile.text("\(leaf)/cgroup.procs") == "")
        #expect(ProgramGroups.vacate(group.folder, root: getpid()))
        #expect(ProcFile.text("\(group.folder)/cgroup.procs") == "")
        #expect(ProcFile.text("\(leaf)/cgroup.procs")?.split(separator: "\n").count == 4)
    }
}

struct ProgramAccountTests {
    @Test func whoMaySpeakForAProgram() {
        // This test's process stands for one that has become another user than it was started as.
        let root = ProgramTreeRoot(pid: getpid(), startTime: 1, tag: "", user: 4711, group: nil)
        for uid in [0, geteuid(), getuid(), 4711] { #expect(ProgramAccount.maySpeak(uid, for: root)) }
        #expect(!ProgramAccount.maySpeak(getuid() + 4712, for: root))
    }

    @Test func whoIsAnother() {
        #expect(!ProgramAccount.isAnother(nil) && !ProgramAccount.isAnother("\(getuid())"))
        #expect(ProgramAccount.isAnother("\(getuid() + 1)") && ProgramAccount.isAnother("nobody-of-this-name"))
    }
}
