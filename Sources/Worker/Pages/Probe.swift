import HTTPTypes
import Hummingbird
import Model
import NIOCore

/// `<prefix>probe`: how a request looked when it reached the worker, for the diagnosis of the test page. Holds no secret: what
/// it tells is what the asking page sent, and whether its origin may connect.
struct Probe: Sendable {
    let configuration: WsdConfiguration
    let hooks: WorkerHTTPHooks
    let proxies: TrustedProxies
    let origins: OriginRule

    func response(to request: Request, _ context: WorkerRequestContext) -> Response {
        let query = request.uri.query ?? ""
        let (own, living) = hooks.workers()
        var out = ByteBuffer()
        out.writeString("{\"service\":\"wsd\",\"version\":\"\(WsdVersion.current)\",\"worker\":\(own)")
        if let living { out.writeString(",\"workers\":\(living)") }
        out.writeProbeField("origin", origin(of: request, query, context))
        out.writeProbeField("path", HandshakeNote.cut(request.uri.path))
        if let path = QueryText.value(of: "path", in: query) {
            let isWebSocket = UpgradeDecision.purpose(of: path.prefix { $0 != "?" }, configuration) != nil
            out.writeString(",\"webSocket\":\(isWebSocket)")
        }
        out.writeString(",\"forwarded\":{\"trusted\":\(proxies.contains(context.peer))")
        out.writeProbeField("for", request.headers[.xForwardedFor].map(HandshakeNote.cut))
        out.writeProbeField("proto", request.headers[.xForwardedProto].map(HandshakeNote.cut))
        out.writeProbeField("host", request.headers[.xForwardedHost].map(HandshakeNote.cut))
        out.writeString("},\"handshake\":")
        let id = QueryText.value(of: "id", in: query)
        if let note = id.flatMap({ hooks.handshakes?.value.note(of: $0) }) {
            note.write(into: &out)
        } else {
            out.writeString("null")
        }
        out.writeString("}\n")
        // The next question may reach another worker only over another connection.
        let fields: HTTPFields = [
            .contentType: "application/json", .cacheControl: "no-store", .accessControlAllowOrigin: "*",
            .connection: "close",
        ]
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: out))
    }

    /// A page's own requests to its own host name no origin: then it says it in the query.
    private func origin(of request: Request, _ query: String, _ context: WorkerRequestContext) -> String {
        guard let origin = request.headers[.origin] ?? QueryText.value(of: "origin", in: query) else { return "none" }
        let isAllowed = origins.allows(
            origin, host: request.head.authority, forwardedHost: request.headers[.xForwardedHost], peer: context.peer,
            isSecure: request.head.scheme == "https")
        return isAllowed ? "allowed" : "refused"
    }
}
