import Model
import NIOCore
import WebSocketProtocol

/// What a request gets on an address of `tls.redirectFrom`: the way to https; health checks are answered. The connection
/// ends with it.
struct RedirectAnswer: Equatable {
    var status: String
    var location: String?
    /// One sentence.
    var text: String
    /// A WebSocket was asked for.
    var isRefusal = false

    /// - Parameters:
    ///   - port: of the first address that speaks TLS; `nil`: there is none.
    ///   - notReady: as `/readyz` says it; `nil`: ready.
    static func to(
        _ head: RequestHead, _ configuration: WsdConfiguration, port: UInt16?, notReady: String?
    ) -> RedirectAnswer {
        switch head.path {
        case "/healthz": return RedirectAnswer(status: "200 OK", text: "ok")
        case "/readyz":
            guard let notReady else { return RedirectAnswer(status: "200 OK", text: "ready") }
            return RedirectAnswer(status: "503 Service Unavailable", text: notReady)
        default: break
        }
        guard let port else {
            return RedirectAnswer(
                status: "503 Service Unavailable", text: "TLS has been turned off; there is nowhere to redirect to.")
        }
        guard let base = base(head, configuration.http.publicURL, port) else {
            return RedirectAnswer(status: "400 Bad Request", text: "The Host field is not a host.")
        }
        let path = head.path.hasPrefix("/") ? head.path : "/"
        let target = base + Self.visible(path) + (head.query.map { "?" + Self.visible($0) } ?? "")
        if case .notUpgrade = Handshake.decide(head) {
            return RedirectAnswer(status: "308 Permanent Redirect", location: target, text: "See \(target)")
        }
        return RedirectAnswer(
            status: "308 Permanent Redirect", location: target,
            text: "There is no WebSocket on this port: connect with wss://, to the address in Location.",
            isRefusal: true)
    }

    private static func base(_ head: RequestHead, _ publicURL: String?, _ port: UInt16) -> String? {
        if let publicURL, publicURL.hasPrefix("wss://") { return "https://" + publicURL.dropFirst(6) }
        guard head.count("host") == 1, let host = head.first("host"), ClientSettings.isHost(host) else { return nil }
        var name = host[...]
        let isBracketed = name.hasPrefix("[")
        if let colon = name.lastIndex(of: ":"), !isBracketed || name.lastIndex(of: "]").map({ $0 < colon }) ?? false {
            name = name[..<colon]
        }
        return name.isEmpty ? nil : "https://\(name)" + (port == 443 ? "" : ":\(port)")
    }

    /// Nothing in it can end a line or a field.
    private static func visible(_ text: some StringProtocol) -> String {
        var out = ""
        for byte in text.utf8 {
            switch byte {
            case 0x21...0x7E: out.unicodeScalars.append(Unicode.Scalar(byte))
            default: out += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return out
    }

    func write(isHead: Bool, into out: inout ByteBuffer) {
        out.writeString("HTTP/1.1 \(status)\r\nContent-Type: text/plain; charset=utf-8\r\n")
        out.writeString("Content-Length: \(text.utf8.count + 1)\r\n")
        if let location { out.writeString("Location: \(location)\r\n") }
        out.writeString("Cache-Control: no-store\r\nConnection: close\r\n\r\n")
        if !isHead { out.writeString(text + "\n") }
    }
}
