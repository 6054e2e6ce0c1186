internal import ConfigurationFile
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Model
import NIOCore
import Wire

extension ControlRoutes {
    /// The backend's API behind it, as behind `<http.prefix>api/v1/` on the public port.
    static let backendPrefix = "/v1/api/"
    /// Bytes of an answer that is put together of pages.
    static let maxBackendAnswer = 64 * 1024 * 1024

    /// A call of the backend's API: read here, carried out by the hub. The socket's access stands for a key's rights.
    func backend(_ request: Request, _ context: ControlContext) async -> Response {
        do throws(BackendError) {
            let (maxBody, maxRoomLength) = try await limits()
            let call = try BackendHTTP.decode(
                method: request.method.rawValue, path: String(request.uri.path.dropFirst(Self.backendPrefix.count)),
                query: request.uri.query,
                idempotencyKey: HTTPField.Name("Idempotency-Key").flatMap { request.headers[$0] },
                body: try await body(of: request, upTo: maxBody), maxRoomLength: maxRoomLength
            ).get()
            guard context.access == .full || call.rights.isSubset(of: [.observe]) else {
                throw BackendError(
                    .forbidden,
                    "You may look, but not change anything: that takes root, the user wsd runs as, or a member of control.group."
                )
            }
            return Self.response(try await ask(String(buffer: call.encoded())))
        } catch {
            return Self.response(.failure(error))
        }
    }

    private func limits() async throws(BackendError) -> (maxBody: Int, maxRoomLength: Int) {
        do {
            return try await driver.run {
                let configuration = $0.configuration.configuration
                return (min(configuration.api.maxBody, ControlAPI.maxBody), configuration.rooms.maxNameLength)
            }
        } catch {
            throw BackendError(.unavailable, "The service is ending.")
        }
    }

    private func body(of request: Request, upTo limit: Int) async throws(BackendError) -> ByteBuffer {
        do {
            return try await request.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw BackendError(.tooLarge, "The body is larger than \(limit) bytes.")
        } catch {
            throw BackendError(.invalidRequest, "The body did not come whole.")
        }
    }

    private func ask(_ call: String) async throws(BackendError) -> BackendResponse {
        let answers: AsyncStream<ChildAnswer>
        do {
            answers = try await driver.run { try $0.ask(.backend(json: call), role: .hub) }
        } catch let failure as ControlFailure {
            throw BackendError(.unavailable, failure.error.message)
        } catch {
            throw BackendError(.unavailable, "The service is ending.")
        }
        var text: [UInt8] = []
        for await answer in answers {
            switch answer {
            case .page(.backend(let json), _):
                guard text.count + json.utf8.count <= Self.maxBackendAnswer else {
                    throw BackendError(.unavailable, "The answer is too long. Ask for less at once, by “limit”.")
                }
                text += json.utf8
            case .page(.refused(let reason), _): throw BackendError(.unavailable, reason)
            case .page, .overflow: throw BackendError(.unavailable, "The hub gave another answer than asked for.")
            case .silent:
                throw BackendError(
                    .unavailable, "The hub did not answer in time: the call may have been carried out or not.")
            }
        }
        guard !text.isEmpty else {
            throw BackendError(.unavailable, "The hub is away: nothing was done. Try again in a moment.")
        }
        guard let json = JSONText(checking: text) else {
            throw BackendError(.unavailable, "The hub's answer is not JSON.")
        }
        return .encoded(json)
    }

    private static func response(_ response: BackendResponse) -> Response {
        var (status, body) = BackendHTTP.encode(response)
        body.writeInteger(UInt8(ascii: "\n"))
        return Response(
            status: HTTPResponse.Status(code: status), headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: body))
    }
}
