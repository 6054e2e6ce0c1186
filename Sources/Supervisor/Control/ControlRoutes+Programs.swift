import HTTPTypes
import Hummingbird
import HummingbirdCore
import Model
import NIOCore
import NIOPosix
import Supervision
import Wire

extension ControlRoutes {
    /// Calls that do something to programs that are known.
    static let programVerbs = ["start", "stop", "restart", "reload", "delete", "scale", "signal", "reset"]

    static let programMethods = Dictionary(
        uniqueKeysWithValues: [("/v1/programs", [.get, .post]), ("/v1/programs/describe", [HTTPRequest.Method.get])]
            + programVerbs.map { ("/v1/programs/\($0)", [.post]) })

    var programRoutes: [Route] {
        [
            Route(method: .get, path: "/v1/programs", handle: programs),
            Route(method: .post, path: "/v1/programs", handle: addProgram),
            Route(method: .get, path: "/v1/programs/describe", handle: describeProgram),
        ]
            + Self.programVerbs.map { verb in
                Route(method: .post, path: "/v1/programs/\(verb)") { request, context in
                    try await operate(verb, request, context)
                }
            }
    }

    @Sendable private func programs(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        return ControlJSON.response(try await driver.run { $0.programs.statuses() })
    }

    @Sendable private func describeProgram(_ request: Request, _ context: ControlContext) async throws -> Response {
        let query = try QueryParameters(request.uri, names: ["target"])
        guard let target = query.text("target") else {
            throw ControlFailure.badRequest("Say which program: ?target=NAME.")
        }
        let isFull = context.access == .full
        return ControlJSON.response(
            try await driver.run { try $0.programs.description(target, withEnvironment: isFull) })
    }

    @Sendable private func addProgram(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: ControlAPI.maxBody)
        } catch is NIOTooManyBytesError {
            throw ControlFailure.tooLarge("The body is larger than \(ControlAPI.maxBody) bytes.")
        }
        // A large entry takes seconds to read, and nobody else is to wait for that.
        let read = try await NIOSingletons.posixBlockingThreadPool.runIfActive { Self.entry(body) }
        let program = try read.get()
        return answer(try await driver.run { try $0.addProgram(program) })
    }

    private static func entry(_ body: ByteBuffer) -> Result<ProgramConfiguration, ControlFailure> {
        Result { () throws(ControlFailure) in
            guard let text = body.getString(at: body.readerIndex, length: body.readableBytes), ControlJSON.isJSON(text)
            else {
                throw .badRequest(#"The body must be a JSON object like {"name":"api","command":["node","app.js"]}."#)
            }
            return try FleetDriver.program(text)
        }
    }

    private func operate(_ word: String, _ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        let body = try await context.body(
            of: request, as: ProgramRequest.self, example: Self.example(word))
        let verb = try Self.verb(word, body)
        return answer(try await driver.run { try $0.begin(verb, body.targets) })
    }

    /// It goes on when nobody listens any more.
    private func answer(_ progress: AsyncStream<OperationProgress>) -> Response {
        ControlJSON.stream { lines in
            for await step in progress {
                try await lines.write(step)
                try await lines.flush()
            }
        }
    }

    private static func example(_ word: String) -> String {
        switch word {
        case "scale": #"{"targets":["api"],"instances":4}"#
        case "signal": #"{"targets":["api"],"signal":"HUP"}"#
        default: #"{"targets":["api"]}"#
        }
    }

    private static func verb(_ word: String, _ body: ProgramRequest) throws(ControlFailure) -> ProgramVerb {
        switch word {
        case "start": return .start
        case "stop": return .stop
        case "restart": return .restart
        case "reload": return .reload
        case "delete": return .delete
        case "reset": return .reset
        case "scale":
            guard let count = body.instances else {
                throw .badRequest("Say how many processes: \(example(word)).")
            }
            return .scale(count)
        default:
            guard let text = body.signal else { throw .badRequest("Say which signal: \(example(word)).") }
            guard let signal = SignalName.number(text) else {
                throw .badRequest("“\(text)” is no signal: give a name or number of signal(7), as HUP or 1.")
            }
            return .signal(signal)
        }
    }
}
