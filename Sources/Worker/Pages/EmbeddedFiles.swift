import HTTPTypes
import Hummingbird
import Model
import WebAssets

extension RouteTable {
    /// The client library: as a module, as a classic script, its types. Pages of any origin may load it.
    mutating func addClientLibrary(_ prefix: String) {
        let fields: HTTPFields = [.accessControlAllowOrigin: "*", .crossOriginResourcePolicy: "cross-origin"]
        for asset in [WebAsset.clientModule, .clientTypes] {
            add(
                prefix + asset.name,
                .init(type: asset.contentType, fields: fields, mayBeImmutable: true) { asset.bytes })
        }
        guard let script = ClassicScript.derived(from: WebAsset.clientModule.bytes) else { return }
        let type = WebAsset.clientModule.contentType
        add(prefix + "client.classic.js", .init(type: type, fields: fields, mayBeImmutable: true) { script })
    }

    /// Test page and chat, with what they load.
    mutating func addPages(_ prefix: String) {
        add(prefix + "test", .page(.test, base: "./"))
        add(prefix + "demo/chat", .page(.chat, base: "../"))
        for part in Set(WebPage.test.parts + WebPage.chat.parts) { add("\(prefix)pages/\(part.name)", .part(part)) }
    }

    /// The dashboard's page and what it loads.
    mutating func addDashboard(_ prefix: String) {
        add(prefix + "dashboard", .page(.dashboard, base: "dashboard/"))
        for part in WebPage.dashboard.parts { add("\(prefix)dashboard/pages/\(part.name)", .part(part)) }
    }

    private mutating func add(_ path: String, _ file: SiteFile) {
        add(path) { request, _ in file.response(to: request) }
    }
}

extension SiteFile {
    /// - Parameter base: see ``WebPage/html(base:)``.
    static func page(_ page: WebPage, base: String) -> SiteFile {
        var fields = HTTPFields()
        for field in page.securityFields {
            guard let name = HTTPField.Name(field.name) else { continue }
            fields[name] = field.value
        }
        return SiteFile(type: page.document.contentType, fields: fields) { page.html(base: base) }
    }

    /// A script or style of a page.
    static func part(_ asset: WebAsset) -> SiteFile {
        let fields: HTTPFields = [.referrerPolicy: "no-referrer", .crossOriginResourcePolicy: "same-origin"]
        return SiteFile(type: asset.contentType, fields: fields, mayBeImmutable: true) { asset.bytes }
    }
}

extension HTTPField.Name {
    fileprivate static let crossOriginResourcePolicy = Self("Cross-Origin-Resource-Policy")!
    fileprivate static let referrerPolicy = Self("Referrer-Policy")!
}
