import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import Model
import NIOCore
import Wire

/// The calls of the control socket (docs/openapi.yaml). Requests run in tasks; everything they touch is reached on the
/// event loop.
struct ControlAPI: Sendable {
    /// Largest request body, bytes.
    static let maxBody = 1024 * 1024

    let driver: EventLoopConfined<FleetDriver>
    private let routes: ControlRoutes
    private let responder: RouterResponder<ControlContext>
    private let logger: Logger

    init(driver: EventLoopConfined<FleetDriver>, logger: Logger) {
        self.driver = driver
        self.logger = logger
        let router = Router(context: ControlContext.self)
        routes = ControlRoutes(driver: driver)
        for route in routes.all {
            router.on(RouterPath(route.path), method: route.method) { request, context in
                try await route.handle(request, context)
            }
        }
        responder = router.buildResponder()
    }

    /// - Parameter refusal: the answer to whatever is asked; the connection then ends.
    func respond(
        to request: Request, access: ControlAccess, refusal: ControlFailure?, channel: any Channel,
        writer: consuming ResponseWriter
    ) async throws {
        if let refusal {
            var response = refusal.response()
            response.headers[.connection] = "close"
            return try await writer.write(response: response.head, body: response.body)
        }
        let context = ControlContext(
            source: ControlRequestSource(logger: logger, channel: channel, access: access))
        let response = await answer(to: request, context)
        try await writer.write(response: response.head, body: response.body)
    }

    private func answer(to request: Request, _ context: ControlContext) async -> Response {
        // A room's name in such a path may hold anything: they are read by another than the router.
        let isBackend = request.uri.path.hasPrefix(ControlRoutes.backendPrefix)
        // Some of its calls only look, whatever their method.
        if let refusal = context.access.refusal(of: isBackend ? .get : request.method) { return refusal.response() }
        if isBackend { return await routes.backend(request, context) }
        let allowed = ControlRoutes.methods[request.uri.path] ?? []
        guard !allowed.isEmpty else {
            return ControlFailure.notFound("There is no \(request.uri.path) here. docs/openapi.yaml lists the calls.")
                .response()
        }
        guard allowed.contains(request.method) else {
            let names = allowed.map(\.rawValue)
            let sentence =
                "\(request.uri.path) takes \(names.joined(separator: " or ")), not \(request.method.rawValue)."
            return ControlFailure.methodNotAllowed(sentence, allowed: names).response()
        }
        do {
            return try await responder.respond(to: request, context: context)
        } catch let failure as ControlFailure {
            return failure.response()
        } catch {
            return ControlFailure.unavailable("The service could not answer: \(error).").response()
        }
    }
}

struct ControlRequestSource: RequestContextSource {
    let logger: Logger
    let channel: any Channel
    let access: ControlAccess
}

struct ControlContext: RequestContext {
    typealias Source = ControlRequestSource

    var coreContext: CoreRequestContextStorage
    /// The connection: a stream ends when it is closed.
    let channel: any Channel
    /// What the caller may do.
    let access: ControlAccess

    init(source: Source) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
        access = source.access
    }
}

extension ControlContext {
    /// Reads a JSON body.
    /// - Parameter ifEmpty: what a request without a body means; `nil`: nothing.
    func body<Value: Decodable>(
        of request: Request, as type: Value.Type, example: String, ifEmpty: Value? = nil
    ) async throws -> Value {
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: ControlAPI.maxBody)
        } catch is NIOTooManyBytesError {
            throw ControlFailure.tooLarge("The body is larger than \(ControlAPI.maxBody) bytes.")
        }
        if let ifEmpty, buffer.readableBytes == 0 { return ifEmpty }
        do {
            return try ControlJSON.decode(type, from: buffer)
        } catch {
            throw ControlFailure.badRequest("The body must be a JSON object like \(example).")
        }
    }
}
