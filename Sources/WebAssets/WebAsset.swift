import CAssets

/// A file of `client/` or `pages/` that the program carries. The raw value is the name it is served under.
package enum WebAsset: String, CaseIterable, Sendable {
    case clientModule = "client.js"
    case clientTypes = "client.d.ts"
    case testPage = "test.html"
    case testScript = "test.js"
    case diagnosisScript = "diagnosis.js"
    case proberScript = "prober.js"
    case chatPage = "chat.html"
    case chatScript = "chat.js"
    case dashboardPage = "dashboard.html"
    case dashboardScript = "dashboard.js"
    case commonScript = "common.js"
    case plotScript = "plot.js"
    case style = "wsd.css"

    package var name: String { rawValue }

    /// A copy of the whole file.
    package var bytes: [UInt8] {
        let asset = embedded
        return Array(UnsafeBufferPointer(start: asset.bytes, count: asset.length))
    }

    package var contentType: String {
        switch name.split(separator: ".").last {
        // Declarations in TypeScript have no type of their own (IANA); browsers show them as text.
        case _ where self == .clientTypes: "text/plain; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        default: "text/html; charset=utf-8"
        }
    }

    private var embedded: wsd_asset {
        switch self {
        case .clientModule: wsd_asset_client_module()
        case .clientTypes: wsd_asset_client_types()
        case .testPage: wsd_asset_test_html()
        case .testScript: wsd_asset_test_js()
        case .diagnosisScript: wsd_asset_diagnosis_js()
        case .proberScript: wsd_asset_prober_js()
        case .chatPage: wsd_asset_chat_html()
        case .chatScript: wsd_asset_chat_js()
        case .dashboardPage: wsd_asset_dashboard_html()
        case .dashboardScript: wsd_asset_dashboard_js()
        case .commonScript: wsd_asset_common_js()
        case .plotScript: wsd_asset_plot_js()
        case .style: wsd_asset_wsd_css()
        }
    }
}
