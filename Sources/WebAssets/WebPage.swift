/// A page with what it loads and may do.
package enum WebPage: CaseIterable, Sendable {
    case test
    case chat
    case dashboard

    package var document: WebAsset {
        switch self {
        case .test: .testPage
        case .chat: .chatPage
        case .dashboard: .dashboardPage
        }
    }

    /// Scripts and styles that are served under `pages/`.
    package var parts: [WebAsset] {
        switch self {
        case .test: [.testScript, .diagnosisScript, .proberScript, .commonScript, .plotScript, .style]
        case .chat: [.chatScript, .style]
        case .dashboard: [.dashboardScript, .commonScript, .plotScript, .style]
        }
    }

    /// The document with every ``placeholder`` replaced.
    ///
    /// - Parameter base: where `pages/` lies, relative to the page: `./`, `../`, `wsd/`.
    package func html(base: String) -> [UInt8] {
        let mark = Array(Self.placeholder.utf8)
        let base = Array(Self.escaped(base).utf8)
        let text = document.bytes
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var start = 0
        var index = 0
        while index + mark.count <= text.count {
            if text[index] == mark[0], text[index..<index + mark.count].elementsEqual(mark) {
                out += text[start..<index]
                out += base
                index += mark.count
                start = index
            } else {
                index += 1
            }
        }
        return out + text[start...]
    }

    /// Header fields of the document. Nothing but the service's own files is loaded, and nobody frames it.
    package var securityFields: [(name: String, value: String)] {
        [
            ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ]
    }

    static let placeholder = "{{base}}"

    private var policy: String {
        let connects =
            switch self {
            // It is there to try any address.
            case .test: "'self' ws: wss: http: https:"
            case .chat: "'self' ws: wss:"
            case .dashboard: "'self'"
            }
        return "default-src 'none'; script-src 'self'; style-src 'self'; connect-src \(connects); "
            + "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    }

    /// For an attribute in quotes.
    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { out, character in
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "'": out += "&#39;"
            default: out.append(character)
            }
        }
    }
}
