import Glibc
import LinuxSystem
import Model

/// What has to be known to judge the end of a process and what is said in its name. Confined to the event loop.
struct ProgramWitness {
    /// They have been sent SIGKILL from here.
    private var killed: Set<InstanceID> = []
    /// It has been said that strangers speak for them.
    private var refused: Set<InstanceID> = []

    mutating func kills(_ instance: InstanceID) { killed.insert(instance) }

    mutating func forget(_ instance: InstanceID) {
        killed.remove(instance)
        refused.remove(instance)
    }

    /// A kill that nobody here ordered is the kernel's where it has killed for memory in the process's own group.
    func explained(_ exit: ProcessExit, of instance: InstanceID, group: String?) -> ProcessExit {
        guard case .signalled(SIGKILL, _) = exit, !killed.contains(instance), let group,
            let kills = ProgramGroup(folder: group).memoryKills, kills > 0
        else { return exit }
        return .killedForMemory
    }

    enum Verdict: Equatable {
        case trusted
        case stranger(isFirst: Bool)
    }

    /// Whoever knows the address of a notification socket can write to it.
    mutating func judge(_ message: NotifyMessage, to instance: InstanceID, _ root: ProgramTreeRoot) -> Verdict {
        guard !ProgramAccount.maySpeak(message.uid, for: root) else { return .trusted }
        return .stranger(isFirst: refused.insert(instance).inserted)
    }
}
