import Glibc
import LinuxSystem
import Testing

@testable import Model
@testable import Supervisor

struct ProgramWitnessTests {
    private let api = InstanceID(rawValue: 1)

    /// A folder with what the kernel would count in it, removed by the caller.
    private func group(kills: Int) throws -> String {
        var template = Array("/tmp/wsd-group-XXXXXX".utf8CString)
        let made = mkdtemp(&template).map { String(cString: $0) }
        let folder = try #require(made)
        let file = try #require(fopen("\(folder)/memory.events", "w"))
        fputs("oom 1\noom_kill \(kills)\n", file)
        fclose(file)
        return folder
    }

    private func remove(_ group: String) {
        unlink("\(group)/memory.events")
        rmdir(group)
    }

    @Test func aKillOfTheKernelsIsToldFromOthers() throws {
        let (spared, killed) = (try group(kills: 0), try group(kills: 1))
        defer { for folder in [spared, killed] { remove(folder) } }
        let kill = ProcessExit.signalled(SIGKILL, coreDumped: false)
        var witness = ProgramWitness()
        #expect(witness.explained(kill, of: api, group: killed) == .killedForMemory)
        #expect(witness.explained(kill, of: api, group: spared) == kill)
        #expect(witness.explained(kill, of: api, group: nil) == kill)
        // One of its children was killed, and it ended for that.
        #expect(witness.explained(.exited(1), of: api, group: killed) == .exited(1))
        witness.kills(api)
        #expect(witness.explained(kill, of: api, group: killed) == kill)
        witness.forget(api)
        #expect(witness.explained(kill, of: api, group: killed) == .killedForMemory)
    }

    @Test func strangersAreSaidOnce() {
        let root = ProgramTreeRoot(pid: getpid(), startTime: 1, tag: "", user: getuid(), group: nil)
        var witness = ProgramWitness()
        let own = NotifyMessage(pid: 1, uid: getuid(), assignments: ["READY=1"])
        let foreign = NotifyMessage(pid: 1, uid: getuid() + 1, assignments: ["READY=1"])
        #expect(witness.judge(own, to: api, root) == .trusted)
        #expect(witness.judge(foreign, to: api, root) == .stranger(isFirst: true))
        #expect(witness.judge(foreign, to: api, root) == .stranger(isFirst: false))
    }
}
