import HTTPTypes
import Hummingbird
import Wire

/// A request of the control API that is answered with an error.
struct ControlFailure: Error, HTTPResponseError, Equatable {
    var status: HTTPResponse.Status
    var error: ControlError
    /// For 405.
    var allowed: [String] = []

    static func badRequest(_ message: String) -> Self {
        Self(status: .badRequest, error: ControlError(code: "bad_request", message: message))
    }

    static func notFound(_ message: String) -> Self {
        Self(status: .notFound, error: ControlError(code: "not_found", message: message))
    }

    static func forbidden(_ message: String) -> Self {
        Self(status: .forbidden, error: ControlError(code: "forbidden", message: message))
    }

    static func busy(_ message: String) -> Self {
        Self(status: .conflict, error: ControlError(code: "busy", message: message))
    }

    /// Not as things stand, however often it is tried.
    static func conflict(_ message: String) -> Self {
        Self(status: .conflict, error: ControlError(code: "conflict", message: message))
    }

    static func unavailable(_ message: String) -> Self {
        Self(status: .serviceUnavailable, error: ControlError(code: "unavailable", message: message))
    }

    static func unprocessable(_ message: String) -> Self {
        Self(status: .unprocessableContent, error: ControlError(code: "impossible", message: message))
    }

    static func methodNotAllowed(_ message: String, allowed: [String]) -> Self {
        Self(status: .methodNotAllowed, error: ControlError(code: "bad_request", message: message), allowed: allowed)
    }

    static func tooLarge(_ message: String) -> Self {
        Self(status: .contentTooLarge, error: ControlError(code: "bad_request", message: message))
    }

    func response(from request: Request, context: some RequestContext) throws -> Response { response() }

    func response() -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        if !allowed.isEmpty { headers[.allow] = allowed.joined(separator: ", ") }
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ControlJSON.line(error)))
    }
}
