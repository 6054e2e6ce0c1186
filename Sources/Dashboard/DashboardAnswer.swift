import ControlClient
import NIOHTTP1
import WebAssets
import Wire

/// A whole answer to a browser.
struct DashboardAnswer {
    var status: HTTPResponseStatus
    var fields: HTTPHeaders
    var body: [UInt8]

    private init(_ status: HTTPResponseStatus, type: String, _ body: [UInt8]) {
        self.status = status
        self.body = body
        fields = Self.commonFields(type: type)
        fields.add(name: "Content-Length", value: "\(body.count)")
    }

    /// Nothing is kept by the browser, or read by pages of others.
    static func commonFields(type: String) -> HTTPHeaders {
        [
            "Content-Type": type, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
        ]
    }

    static var document: Self {
        var answer = Self(
            .ok, type: WebPage.dashboard.document.contentType, WebPage.dashboard.html(base: "./"))
        for field in WebPage.dashboard.securityFields {
            answer.fields.replaceOrAdd(name: field.name, value: field.value)
        }
        return answer
    }

    static func asset(_ asset: WebAsset) -> Self { Self(.ok, type: asset.contentType, asset.bytes) }

    /// To `/`, without the token in the address.
    static func entry(_ cookie: String) -> Self {
        var answer = Self(.seeOther, type: "text/plain; charset=utf-8", [])
        answer.fields.add(name: "Location", value: "/")
        answer.fields.add(name: "Set-Cookie", value: cookie)
        return answer
    }

    static func session(_ csrf: String?) -> Self {
        let text = csrf.map { #"{"control":true,"csrf":"\#($0)"}"# } ?? #"{"control":false}"#
        return Self(.ok, type: "application/json", Array("\(text)\n".utf8))
    }

    /// - Parameter isForScript: in the shape of the control API; a sentence otherwise.
    static func of(_ refusal: DashboardCall.Refusal, _ isForScript: Bool) -> Self {
        let status = HTTPResponseStatus(statusCode: refusal.status)
        guard isForScript else {
            return Self(status, type: "text/plain; charset=utf-8", Array("\(refusal.error.message)\n".utf8))
        }
        return Self(status, type: "application/json", ControlClient.encode(refusal.error))
    }

    /// What the control socket refused, or why it cannot be asked.
    static func of(_ error: ControlClientError) -> Self {
        switch error {
        case .refused(let status, let refusal): of(.init(status, refusal.code, refusal.message), true)
        case .notAllowed: of(.init(403, "forbidden", "\(error)"), true)
        case .notRunning, .noAnswer, .cutOff, .garbled, .system: of(.init(502, "unavailable", "\(error)"), true)
        }
    }
}
