import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    /// A sentence for a person. `Connection: close` in `fields` ends the connection after it.
    static func sentence(_ status: HTTPResponse.Status, _ text: String, fields: HTTPFields = [:]) -> Response {
        var headers = fields
        headers[.contentType] = "text/plain; charset=utf-8"
        headers[.cacheControl] = "no-store"
        let body = ResponseBody(byteBuffer: ByteBuffer(string: text + "\n"))
        return Response(status: status, headers: headers, body: body)
    }

    /// Text of some type that must not be kept.
    static func document(_ text: String, type: String, fields: HTTPFields = [:]) -> Response {
        var headers = fields
        headers[.contentType] = type
        headers[.cacheControl] = "no-store"
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

extension HTTPField.Name {
    static let xForwardedFor = Self("X-Forwarded-For")!
    static let xForwardedHost = Self("X-Forwarded-Host")!
    static let xForwardedProto = Self("X-Forwarded-Proto")!
}
