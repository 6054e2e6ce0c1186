import Authentication
import HTTPTypes
import Hummingbird
import Model
import NIOCore
import WebSocketProtocol
import Wire

/// The backend's API on the public port: checks the key, and passes the call to the hub, which answers it.
struct BackendAPI: Sendable {
    /// Where it lies.
    let prefix: String
    private let keys: APIKeyring
    private let isOpen: Bool
    private let maxRoomLength: Int
    private let ask: @Sendable (ByteBuffer) -> EventLoopFuture<Result<[UInt8], ClientRefusal>>

    init(
        _ configuration: WsdConfiguration,
        ask: @escaping @Sendable (ByteBuffer) -> EventLoopFuture<Result<[UInt8], ClientRefusal>>
    ) {
        prefix = Self.prefix(configuration)
        keys = APIKeyring(configuration.api.keys)
        isOpen = !configuration.api.keys.isEmpty
        maxRoomLength = configuration.rooms.maxNameLength
        self.ask = ask
    }

    static func prefix(_ configuration: WsdConfiguration) -> String { configuration.http.prefix + "api/v1/" }

    /// - Parameter path: still percent-encoded, without the query.
    func respond(to request: Request, path: String) async -> Response {
        do throws(BackendError) {
            let key = try key(of: request)
            let call = try BackendHTTP.decode(
                method: request.method.rawValue, path: String(path.dropFirst(prefix.count)), query: request.uri.query,
                idempotencyKey: request.headers[.idempotencyKey], body: try await body(of: request),
                maxRoomLength: maxRoomLength
            ).get()
            guard call.rights.isSubset(of: key.allow) else {
                let missing = call.rights.subtracting(key.allow).map(\.rawValue).sorted().joined(separator: ", ")
                throw BackendError(.forbidden, "The key \(key.name) has no right to \(missing)")
            }
            return Self.response(try await answer(to: call))
        } catch {
            return Self.response(.failure(error))
        }
    }

    private func key(of request: Request) throws(BackendError) -> APIKey {
        guard isOpen else {
            throw BackendError(
                .notFound, "This service has no API keys: make one with wsctl key new, or use the control socket")
        }
        guard let bearer = request.headers[.authorization].flatMap(Self.bearer) else {
            throw BackendError(.unauthorized, "Send an API key in the field Authorization: Bearer KEY")
        }
        guard let key = keys.authenticate(bearer) else {
            throw BackendError(.unauthorized, "The key is not known: its hash stands in no entry of api.keys")
        }
        return key
    }

    /// RFC 6750 section 2.1; the scheme's name in any case (RFC 9110 section 11.1).
    private static func bearer(_ field: String) -> String? {
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }

    private func body(of request: Request) async throws(BackendError) -> ByteBuffer {
        do {
            // Bounded by the connection before it comes here.
            return try await request.body.collect(upTo: .max)
        } catch {
            throw BackendError(.invalidRequest, "The body broke off")
        }
    }

    private func answer(to call: BackendRequest) async throws(BackendError) -> BackendResponse {
        let result: Result<[UInt8], ClientRefusal>
        do {
            result = try await ask(call.encoded()).get()
        } catch {
            throw BackendError(.unavailable, "The hub did not answer; try again")
        }
        switch result {
        case .success(let json): return .encoded(JSONText(unchecked: json))
        case .failure(let refusal): throw BackendError(.unavailable, refusal.words)
        }
    }

    private static func response(_ answer: BackendResponse) -> Response {
        let (status, body) = BackendHTTP.encode(answer)
        var fields: HTTPFields = [.contentType: "application/json", .cacheControl: "no-store"]
        if status == 401 { fields[.wwwAuthenticate] = "Bearer" }
        if status == 503 { fields[.retryAfter] = "1" }
        return Response(status: .init(code: status), headers: fields, body: ResponseBody(byteBuffer: body))
    }
}

/// How large a request's body may be.
struct HTTPBodyLimits {
    private var backendPrefix: String?
    private var backendLimit = 0

    init() {}

    init(_ configuration: WsdConfiguration) {
        guard !configuration.api.keys.isEmpty else { return }
        backendPrefix = BackendAPI.prefix(configuration)
        backendLimit = configuration.api.maxBody
    }

    func limit(_ target: String) -> Int { isBackend(target) ? backendLimit : HTTPLimits.maxBody }

    func refusal(_ target: String) -> HTTPRefusal {
        isBackend(target) ? .backendBodyTooLarge(backendLimit) : .bodyTooLarge
    }

    private func isBackend(_ target: String) -> Bool { backendPrefix.map(target.hasPrefix) ?? false }
}

extension HTTPTypes.HTTPField.Name {
    fileprivate static let idempotencyKey = Self("Idempotency-Key")!
}
