import HTTPTypes
import Hummingbird
import HummingbirdCore
import Model
import NIOCore
import Supervision
import Wire

extension ControlRoutes {
    static let flushMethods: [String: [HTTPRequest.Method]] = ["/v1/logs/flush": [.post]]

    var flushRoute: Route { Route(method: .post, path: "/v1/logs/flush", handle: flush) }

    /// `POST /v1/logs/flush`: forgets the lines of programs, in memory and in files.
    @Sendable private func flush(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        let body = try await context.body(of: request, as: ProgramRequest.self, example: #"{"targets":["api"]}"#)
        guard body.targets.count <= FleetDriver.maxTargets else {
            throw ControlFailure.badRequest("A request may name \(FleetDriver.maxTargets) programs at most.")
        }
        return ControlJSON.response(
            try await driver.wait { driver in
                driver.log.clear(try driver.programs.namesToFlush(body.targets))
            })
    }
}

extension ProgramsDriver {
    /// - Returns: `nil`: all of them.
    func namesToFlush(_ words: [String]) throws(ControlFailure) -> Set<String>? {
        guard !words.isEmpty else { throw .badRequest("Name at least one program, or “all”.") }
        guard !words.contains("all") else { return nil }
        var names: Set<String> = []
        for word in words {
            let target = try target(word)
            guard target.number == nil else {
                throw .badRequest(
                    "All processes of a program write into one file: say \(target.program) instead of \(word).")
            }
            names.insert(target.program)
        }
        return names
    }
}
