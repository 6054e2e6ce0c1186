import Glibc
import Model
import Testing

@testable import LinuxSystem

struct ProgramLaunchTests {
    private let launch = ProgramLaunch(
        command: ["node", "", "a b\nc"], environment: ["A=", "B=ü"], ownNames: ["HOME"], folder: "/srv/app",
        user: "app", group: nil, umask: 0o27, nice: -5,
        limits: [
            ProgramLimit(resource: "core", soft: nil, hard: nil),
            ProgramLimit(resource: "nofile", soft: 1, hard: .max - 1),
        ],
        softDescriptorLimit: 1024, deathSignal: 15, controlGroup: "/sys/fs/cgroup/x y", out: 1, err: 2,
        listenerNames: ["web", "admin"], notifySocket: "@wsd", tag: "t-1")

    @Test func whatIsWrittenIsRead() throws {
        var sent = launch
        sent.listeners = [7, 9]
        let bytes = try #require(LaunchText.encode(sent, parent: 42))
        #expect(LaunchReader.decode(bytes) == LaunchOrder(launch: launch, listeners: 2, parent: 42))
    }

    @Test func anythingElseIsRefused() throws {
        let bytes = try #require(LaunchText.encode(launch, parent: 42))
        for length in 0..<bytes.count { #expect(LaunchReader.decode(Array(bytes[..<length])) == nil) }
        #expect(LaunchReader.decode(bytes + [0]) == nil)
        #expect(LaunchReader.decode(Array("1\u{0}999999999999\u{0}".utf8)) == nil)
        #expect(LaunchReader.decode(Array("1\u{0}-1\u{0}".utf8)) == nil)
    }

    @Test func aNulHasNoPlaceInACommand() {
        var bad = launch
        bad.command = ["sh", "a\u{0}b"]
        #expect(LaunchText.encode(bad, parent: 1) == nil)
        #expect(throws: SystemError(call: "start", code: EINVAL, subject: "sh")) { try ProgramSpawner.spawn(bad) }
    }

    @Test func aCommandIsLookedForInThePath() {
        #expect(ProgramSearch.files(of: "node", path: "/a::/b") == ["/a/node", "./node", "/b/node"])
        #expect(ProgramSearch.files(of: "./node", path: "/a") == ["./node"])
    }

    @Test func theGuardKnowsTheTreesThatLive() {
        let first = ProgramTreeRoot(pid: 7, startTime: 70, tag: "t-1", user: 1000, group: "/sys/a b")
        let second = ProgramTreeRoot(pid: 8, startTime: 80, tag: "t-2", user: nil, group: nil)
        var book = GuardBook()
        let text =
            GuardBook.line(adding: first) + GuardBook.line(adding: second) + "+ 9\n- x\n"
            + String(repeating: "x", count: 2 * ProgramGuard.maxLine) + "\n" + GuardBook.line(removing: second)
        for byte in text.utf8 { book.take([byte]) }
        #expect(book.roots == [7: first])
        #expect(!book.isOver)
        book.take(Array("bye\n".utf8)[...])
        #expect(book.isOver)
    }

    @Test func aLineOfTheProcessTable() throws {
        let odd = "4711 (a) R (c) S 1 2 3 0 -1 4194304 100 0 0 0 250 50 7 3 20 0 1 0 99 5000 25 0"
        let entry = try #require(ProcessTable.parse(Array(odd.utf8)))
        #expect(
            entry
                == ProcessTable.Entry(
                    pid: 4711, parent: 1, session: 3, state: UInt8(ascii: "S"), isKernelThread: false, startTime: 99,
                    cpuTicks: 310, residentPages: 25))
        for bad in ["", "4711", "(a", ") (", "1 (a) S 1 2 3", "x (a) " + odd] {
            #expect(ProcessTable.parse(Array(bad.utf8)) == nil)
        }
        #expect(ProcessTable.read().entries[getpid()]?.parent == getppid())
    }

    @Test func groupsAreMadeWhereTheHierarchyIs() throws {
        let directory = try TemporaryDirectory()
        func write(_ text: String, _ name: String) throws {
            let file = try #require(fopen(directory.file(name), "w"))
            fputs(text, file)
            fclose(file)
        }
        for folder in ["proc", "proc/self", "group", "group/own"] { mkdir(directory.file(folder), 0o755) }
        try write("0::/own\n", "proc/self/cgroup")
        #expect(ProgramGroups(token: "t", root: directory.path) == nil)
        try write("1 1 0:1 / /group rw - cgroup2 cgroup rw\n", "proc/self/mountinfo")
        // No real one: a folder that is made there holds no cgroup.procs.
        try write("", "group/own/cgroup.procs")
        #expect(ProgramGroups(token: "t", root: directory.path) == nil)
        #expect(access(directory.file("group/own/wsd.t"), F_OK) != 0)
    }
}
