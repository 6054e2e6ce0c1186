import HTTPTypes
import Hummingbird
import Model
import Wire

extension ControlRoutes {
    static let upgradeMethods: [String: [HTTPRequest.Method]] = ["/v1/upgrade": [.post]]

    var upgradeRoute: Route { Route(method: .post, path: "/v1/upgrade", handle: upgrade) }

    /// `POST /v1/upgrade`: has another program take the supervisor's process over. The answer, like all others, ends with that.
    @Sendable private func upgrade(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        let body = try await context.body(
            of: request, as: UpgradeBody.self, example: #"{"program":"/usr/bin/wsd"}"#, ifEmpty: UpgradeBody())
        let (progress, continuation) = AsyncStream.makeStream(of: OperationProgress.self)
        try await driver.run { driver in
            try driver.setup.upgrade(body) { step in
                continuation.yield(step)
                if step.done { continuation.finish() }
            }
        }
        return ControlJSON.stream { lines in
            for await step in progress {
                try await lines.write(step)
                try await lines.flush()
            }
        }
    }
}
