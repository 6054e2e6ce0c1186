import Authentication
import HTTPTypes
import Hummingbird
import Model
import NIOCore
import WebAssets
import WebSocketProtocol
import Wire

/// What the dashboard on the public port asks for: figures, lists and logs of the control API, for whoever has an API key that
/// allows `observe`. It can change nothing.
struct DashboardAPI: Sendable {
    /// Where it lies.
    let prefix: String
    private let keys: APIKeyring
    private let calls: NIOLoopBound<DashboardCalls>

    init(_ configuration: WsdConfiguration, calls: NIOLoopBound<DashboardCalls>) {
        prefix = configuration.http.prefix + "dashboard/api/"
        keys = APIKeyring(configuration.api.keys)
        self.calls = calls
    }

    /// - Parameter path: without the query.
    func respond(to request: Request, path: String) async -> Response {
        do throws(DashboardCall.Refusal) {
            try checkKey(request)
            let name = path.dropFirst(prefix.count)
            guard name != "session" || request.method != .get else {
                return .document("{\"control\":false}\n", type: "application/json")
            }
            let call = try DashboardCall(
                method: request.method.rawValue, name: name, query: request.uri.query, mayChange: false)
            return try await answer(call)
        } catch {
            return Self.response(error)
        }
    }

    private func checkKey(_ request: Request) throws(DashboardCall.Refusal) {
        guard let secret = request.headers[.authorization].flatMap(HandshakeCredentials.bearer) else {
            throw DashboardCall.Refusal(
                401, "unauthorized", "Give an API key that allows observe (Authorization: Bearer KEY).")
        }
        guard let key = keys.authenticate(secret) else {
            throw DashboardCall.Refusal(
                401, "unauthorized", "The API key is not known: its hash stands in no entry of api.keys.")
        }
        guard key.allow.contains(.observe) else {
            throw DashboardCall.Refusal(
                403, "forbidden", "The key \(key.name) may not observe; add observe to its allow in api.keys.")
        }
    }

    private func answer(_ call: DashboardCall) async throws(DashboardCall.Refusal) -> Response {
        guard let pipe = calls.value.begin(call.target) else {
            throw DashboardCall.Refusal(
                503, "unavailable",
                "The worker ends, or \(DashboardCalls.maximum) calls of dashboards are in progress; try again.")
        }
        let refusal: HTTPRefusal?
        do {
            refusal = try await pipe.value.opened.get()
        } catch {
            refusal = .liveUnavailable
        }
        if let refusal {
            throw DashboardCall.Refusal(
                refusal.status, refusal.status == 400 ? "bad_request" : "unavailable", refusal.sentence)
        }
        let fields: HTTPFields = [.contentType: "application/x-ndjson", .cacheControl: "no-store"]
        return Response(status: .ok, headers: fields, body: Self.body(pipe))
    }

    /// Ends the call when the browser has gone.
    private static func body(_ pipe: NIOLoopBound<DashboardPipe>) -> ResponseBody {
        ResponseBody { writer in
            try await withTaskCancellationHandler {
                defer { pipe.value.end() }
                while let lines = try await pipe.value.next().get() { try await writer.write(lines) }
                try await writer.finish(nil)
            } onCancel: {
                pipe.eventLoop.execute { pipe.value.end() }
            }
        }
    }

    private static func response(_ refusal: DashboardCall.Refusal) -> Response {
        var body = ByteBuffer()
        body.writeString("{\"code\":")
        JSONWriter.writeString(refusal.error.code, into: &body)
        body.writeString(",\"message\":")
        JSONWriter.writeString(refusal.error.message, into: &body)
        body.writeString("}\n")
        var fields: HTTPFields = [.contentType: "application/json", .cacheControl: "no-store"]
        if refusal.status == 401 { fields[.wwwAuthenticate] = "Bearer" }
        if refusal.status == 503 { fields[.retryAfter] = "5" }
        return Response(
            status: .init(code: refusal.status), headers: fields, body: ResponseBody(byteBuffer: body))
    }
}
