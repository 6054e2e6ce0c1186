import ControlClient
import Wire

extension Session {
    /// Has the service do something with programs, and shows the steps.
    func programs(_ verb: String, _ request: ProgramRequest) async throws -> CommandStatus {
        try await operate(
            ControlRequest(.post, "/v1/programs/\(verb)", body: ControlClient.encode(request)))
    }

    func listOfPrograms() async throws -> [ProgramStatus] {
        try await client.value([ProgramStatus].self, ControlRequest(.get, "/v1/programs"))
    }

    func description(of target: String) async throws -> (ProgramDescription, bytes: [UInt8]) {
        let answer = try await client.bytes(
            ControlRequest(.get, "/v1/programs/describe", query: [("target", target)]))
        return (try ControlClient.decode(ProgramDescription.self, answer), answer)
    }

    /// Restarts or reloads what was named: programs together, then workers.
    ///
    /// - Parameter now: workers at once, not one after the other.
    func replace(_ verb: String, _ selection: TargetSelection, now: Bool = false) async throws -> CommandStatus {
        var selection = selection
        if selection.includesAll {
            let status = try await client.value(ServiceStatus.self, ControlRequest(.get, "/v1/status"))
            selection.spellOut(
                programs: (status.programs ?? []).map(\.name), hasWorkers: status.managesOnly != true, now: now)
            guard !selection.programs.isEmpty || selection.allWorkers else {
                remark("There are no programs.")
                return .success
            }
        }
        var status = CommandStatus.success
        if !selection.programs.isEmpty {
            do {
                status = try await programs(verb, ProgramRequest(targets: selection.programs))
            } catch ControlClientError.refused(404, let error)
                where selection.programs.contains(where: CommandTarget.isNumber)
            {
                let message = "\(error.message) A number is that of a program; a worker is named worker:2."
                throw ControlClientError.refused(status: 404, ControlError(code: error.code, message: message))
            }
        }
        let at = now ? "1" : nil
        let workers = selection.allWorkers ? [nil] : selection.workers.map { Optional(String($0)) }
        for worker in workers {
            let ended = try await operate(
                ControlRequest(.post, "/v1/restart", query: [("worker", worker), ("now", at)]))
            if status == .success { status = ended }
        }
        return status
    }
}
