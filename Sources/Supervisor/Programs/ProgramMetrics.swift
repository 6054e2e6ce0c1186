import Wire

/// Families about programs, for `GET /metrics`.
enum ProgramMetrics {
    static func write(_ programs: [ProgramStatus], into page: inout MetricsPage) {
        page.family(
            "wsd_program_ready", .gauge, "Whether all processes that a program is to have serve (1) or not (0).")
        for program in programs {
            page.sample("wsd_program_ready", labels(program), program.state == .ready ? 1 : 0)
        }
        page.family("wsd_program_wanted", .gauge, "Processes that a program is to have.")
        for program in programs { page.sample("wsd_program_wanted", labels(program), Double(program.wanted)) }
        page.family("wsd_program_processes", .gauge, "Processes of a program, and places without one, by state.")
        for program in programs {
            for state in ProgramState.allCases {
                let count = program.processes.count { $0.state == state }
                page.sample("wsd_program_processes", labels(program) + [("state", state.rawValue)], Double(count))
            }
        }
        page.family("wsd_program_restarts_total", .counter, "Restarts after ends that nobody had asked for.")
        for program in programs { page.sample("wsd_program_restarts_total", labels(program), Double(program.restarts)) }
        page.family("wsd_program_resident_bytes", .gauge, "Resident memory of a process with its descendants.")
        processes(programs, "wsd_program_resident_bytes", &page) { $0.memory.map(Double.init) }
        page.family("wsd_program_cpu_ratio", .gauge, "Share of one core over the last seconds, descendants included.")
        processes(programs, "wsd_program_cpu_ratio", &page) { $0.cpu.map { $0 / 100 } }
    }

    /// Sums where a successor stands beside the one it replaces.
    private static func processes(
        _ programs: [ProgramStatus], _ name: String, _ page: inout MetricsPage,
        value: (ProgramProcessStatus) -> Double?
    ) {
        for program in programs {
            var sums: [Int: Double] = [:]
            for process in program.processes {
                if let value = value(process) { sums[process.number, default: 0] += value }
            }
            for (number, sum) in sums.sorted(by: { $0.key < $1.key }) {
                page.sample(name, labels(program) + [("process", "\(program.name):\(number)")], sum)
            }
        }
    }

    private static func labels(_ program: ProgramStatus) -> MetricsPage.Labels { [("program", program.name)] }
}
