import Glibc
import Model
import Testing

@testable import LinuxSystem

/// The control group's memory, read from trees such as the kernel shows them.
struct MemoryGroupTests {
    private static let unifiedMount = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    private static let memoryMount = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"

    /// Files below a directory of the test's own, with the folders they need.
    private final class Tree {
        let directory: TemporaryDirectory

        init(own: String, mounts: String, _ files: [String: String] = [:]) throws {
            directory = try TemporaryDirectory()
            try write("/proc/self/cgroup", own)
            try write("/proc/self/mountinfo", mounts)
            for (path, text) in files { try write(path, text) }
        }

        var root: String { directory.path }

        func write(_ path: String, _ text: String) throws {
            var folder = root
            for part in path.split(separator: "/").dropLast() {
                folder += "/\(part)"
                mkdir(folder, 0o700)
            }
            guard let file = fopen(root + path, "w") else { throw TestFailure("fopen \(path): \(errno)") }
            fputs(text, file)
            fclose(file)
        }

        func read() throws -> MemoryReading { try #require(MemoryGroup(root: root)?.read()) }
    }

    private static func unified(_ group: String) -> [String: String] {
        [
            "\(group)/cgroup.events": "populated 1\nfrozen 0\n", "\(group)/memory.current": "900\n",
            "\(group)/memory.high": "1000\n", "\(group)/memory.max": "max\n",
            "\(group)/memory.events": "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 0\n",
            "\(group)/memory.stat": "anon 700\nfile 200\ninactive_file 150\nactive_file 50\n",
            "\(group)/memory.pressure": """
            some avg10=1.50 avg60=0.00 avg300=0.00 total=2500000
            full avg10=0.25 avg60=0.00 avg300=0.00 total=1000

            """,
        ]
    }

    @Test func versionTwo() throws {
        let tree = try Tree(
            own: "0::/system.slice/wsd.service\n", mounts: Self.unifiedMount,
            Self.unified("/sys/fs/cgroup/system.slice/wsd.service"))
        let reading = try tree.read()
        #expect(reading.usage == 900)
        #expect(reading.workingSet == 750)
        #expect(reading.high == 1000)
        #expect(reading.max == nil)
        #expect(reading.events == MemoryEvents(low: 1, high: 2, max: 3, oom: 4, oomKills: 5))
        #expect(reading.pressure == MemoryPressure(some: 1.5, full: 0.25, someSeconds: 2.5, fullSeconds: 0.001))
        #expect(
            MemoryGroup(root: tree.root)?.eventsFile
                == tree.root + "/sys/fs/cgroup/system.slice/wsd.service/memory.events")
    }

    @Test func theLowestLimitAboveCounts() throws {
        let tree = try Tree(
            own: "0::/a.slice/b.service\n", mounts: Self.unifiedMount, Self.unified("/sys/fs/cgroup/a.slice/b.service"))
        try tree.write("/sys/fs/cgroup/a.slice/memory.max", "5000\n")
        try tree.write("/sys/fs/cgroup/a.slice/memory.high", "990\n")
        let reading = try tree.read()
        #expect(reading.high == 990)
        #expect(reading.max == 5000)
        #expect(reading.limit == 990)
    }

    /// A container that sees its own group as the root of all (cgroup namespace).
    @Test func aNamespacedRoot() throws {
        let tree = try Tree(own: "0::/\n", mounts: Self.unifiedMount, Self.unified("/sys/fs/cgroup"))
        #expect(try tree.read().usage == 900)
    }

    /// A container without a namespace of its own: the mount shows a part of what the process's path names.
    @Test func aPartOfTheHierarchy() throws {
        let mount = "40 31 0:26 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup ro,memory\n"
        let tree = try Tree(
            own: "11:cpu,cpuacct:/docker/abc\n7:memory:/docker/abc\n", mounts: mount,
            Self.versionOne("/sys/fs/cgroup/memory"))
        #expect(try tree.read().max == 2000)
        let other = try Tree(own: "7:memory:/elsewhere\n", mounts: mount, Self.versionOne("/sys/fs/cgroup/memory"))
        #expect(MemoryGroup(root: other.root) == nil)
    }

    private static func versionOne(_ group: String) -> [String: String] {
        [
            "\(group)/memory.usage_in_bytes": "1500\n", "\(group)/memory.limit_in_bytes": "2000\n",
            "\(group)/memory.failcnt": "7\n",
            "\(group)/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
            "\(group)/memory.stat": "inactive_file 1\ntotal_inactive_file 400\n",
        ]
    }

    /// Version 1's memory controller beside a tree of version 2 that has none, as in systemd's hybrid layout.
    @Test func hybrid() throws {
        let unified = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        let tree = try Tree(
            own: "4:memory:/system.slice/wsd.service\n0::/system.slice/wsd.service\n",
            mounts: Self.memoryMount + unified, Self.versionOne("/sys/fs/cgroup/memory/system.slice/wsd.service"))
        let group = "/sys/fs/cgroup/unified/system.slice/wsd.service"
        try tree.write("\(group)/cgroup.events", "populated 1\n")
        try tree.write("\(group)/memory.pressure", try #require(Self.unified("")["/memory.pressure"]))
        let reading = try tree.read()
        #expect(reading.usage == 1500)
        #expect(reading.workingSet == 1100)
        #expect(reading.high == nil)
        #expect(reading.max == 2000)
        #expect(reading.events == MemoryEvents(max: 7, oomKills: 3))
        #expect(reading.pressure?.some == 1.5)
        #expect(MemoryGroup(root: tree.root)?.eventsFile == nil)
    }

    @Test func theMachinesRootIsNoGroup() throws {
        let tree = try Tree(
            own: "4:memory:/\n0::/\n", mounts: Self.memoryMount + Self.unifiedMount,
            Self.versionOne("/sys/fs/cgroup/memory"))
        try tree.write("/sys/fs/cgroup/memory/release_agent", "\n")
        try tree.write("/sys/fs/cgroup/memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
        #expect(MemoryGroup(root: tree.root) == nil)
    }

    @Test(arguments: [
        ("", ""), ("0::/a\n", ""), ("nonsense\n:::\n0:\n", "nonsense\n - \n1 2 3 4 5 - cgroup2\n"),
        ("0::/../../b\n", unifiedMount),
    ])
    func withoutAGroupThereIsNothing(_ own: String, _ mounts: String) throws {
        let tree = try Tree(own: own, mounts: mounts)
        #expect(MemoryGroup(root: tree.root) == nil)
        #expect(MemoryGroup(root: tree.root + "/nowhere") == nil)
    }

    @Test func aMountPointWithABlank() throws {
        let mount = #"30 23 0:26 / /my\040groups rw - cgroup2 cgroup2 rw"# + "\n"
        let tree = try Tree(own: "0::/a\n", mounts: mount, Self.unified("/my groups/a"))
        #expect(try tree.read().usage == 900)
    }

    @Test func aGroupThatIsGoneSaysNothing() throws {
        let tree = try Tree(own: "0::/a\n", mounts: Self.unifiedMount, Self.unified("/sys/fs/cgroup/a"))
        let group = try #require(MemoryGroup(root: tree.root))
        try #require(unlink(tree.root + "/sys/fs/cgroup/a/memory.events") == 0)
        #expect(group.read() == nil)
    }

    @Test func noLimitIsNone() {
        #expect(MemoryGroup.limit("max\n") == nil)
        #expect(MemoryGroup.limit("9223372036854771712\n") == nil)
        #expect(MemoryGroup.limit("4096\n") == 4096)
        #expect(MemoryGroup.limit(nil) == nil)
        #expect(MemoryGroup.pressure("some avg10=x total=1\n") == nil)
        #expect(MemoryGroup.pressure("") == nil)
    }

    @Test(arguments: [("-500\n", "0"), ("0\n", "-500"), ("200\n", "-500"), ("", "-500")])
    func aChildIsExposedWhereThisProcessIsProtected(_ own: String, _ expected: String) throws {
        let tree = try Tree(own: "", mounts: "", ["/proc/self/oom_score_adj": own, "/proc/77/oom_score_adj": "-500"])
        KillPreference.expose(child: 77, root: tree.root)
        let text = try #require(ProcFile.text(tree.root + "/proc/77/oom_score_adj"))
        // An ordinary file keeps what is not written over.
        #expect(text.hasPrefix(expected))
    }

    @Test func changesOfAFileAreTold() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("events")
        guard let file = fopen(path, "w") else { throw TestFailure("fopen: \(errno)") }
        defer { fclose(file) }
        let descriptor = try FileChanges.watch(path)
        defer { close(descriptor) }
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 0) == 0)
        fputs("high 1\n", file)
        fflush(file)
        #expect(poll(&entry, 1, 10_000) == 1)
        #expect(throws: SystemError(call: "watch", code: ENOENT, subject: path + "x")) {
            try FileChanges.watch(path + "x")
        }
    }
}
