import Glibc

extension ProgramTree {
    /// ``killAll()`` of several trees, with one look at everything for all of them.
    ///
    /// - Returns: for each of them, whether the first look found nothing: it is gone.
    package static func killAll(_ trees: inout [ProgramTree]) -> [Bool] {
        var isGone = trees.map { _ in false }
        guard let oldest = trees.map(\.root.startTime).min() else { return [] }
        var killed: [Int32: UInt64] = [:]
        var pending = Array(trees.indices)
        for round in 0..<maxRounds where !pending.isEmpty {
            // First those that their groups know of, and at one blow.
            for index in pending { trees[index].group?.kill() }
            let table = ProcessTable.read(.everywhere(since: oldest))
            pending.removeAll { index in
                let living = trees[index].members(in: table)
                if living.isEmpty {
                    isGone[index] = round == 0 && trees[index].group?.isPopulated != true
                    return true
                }
                let fresh = living.filter { killed[$0.pid] != $0.startTime }
                for member in fresh {
                    killed[member.pid] = member.startTime
                    signal(member, SIGKILL)
                }
                return fresh.isEmpty
            }
        }
        return isGone
    }
}
