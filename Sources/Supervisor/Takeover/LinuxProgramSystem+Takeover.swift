import LinuxSystem
import Model
import Supervision

extension ProgramSockets {
    var handed: [HandedProgramSystem.Sockets] {
        held.sorted { $0.key < $1.key }.flatMap { program, own in
            own.map { HandedProgramSystem.Sockets(program: program, address: $0.key, sockets: $0.value) }
        }
    }

    mutating func resume(_ handed: [HandedProgramSystem.Sockets]) {
        for one in handed { held[one.program, default: [:]][one.address] = one.sockets }
    }
}
