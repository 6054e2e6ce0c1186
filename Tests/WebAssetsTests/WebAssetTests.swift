import Model
import Testing

@testable import WebAssets

extension WebAsset {
    fileprivate var text: String { String(decoding: bytes, as: UTF8.self) }
}

@Suite struct WebAssetTests {
    @Test(arguments: WebAsset.allCases)
    func isThere(_ asset: WebAsset) {
        #expect(asset.bytes.count > 100)
        #expect(String(validating: asset.bytes, as: UTF8.self) != nil)
    }

    @Test func typesByName() {
        #expect(WebAsset.clientModule.contentType == "text/javascript; charset=utf-8")
        #expect(WebAsset.clientTypes.contentType == "text/plain; charset=utf-8")
        #expect(WebAsset.style.contentType == "text/css; charset=utf-8")
        #expect(WebAsset.chatPage.contentType == "text/html; charset=utf-8")
    }

    @Test func clientHasTheServicesVersion() {
        #expect(WebAsset.clientModule.text.contains("const version = \"\(WsdVersion.current)\";"))
    }
}

@Suite struct WebPageTests {
    /// What a document or script loads from `pages/`, by name.
    private static func loaded(by asset: WebAsset) -> Set<String> {
        let marks =
            asset.contentType.hasPrefix("text/html") ? ["{{base}}pages/"] : ["from \"./", "import \"./", "import(\"./"]
        var names: Set<String> = []
        for mark in marks {
            for piece in asset.text.split(separator: mark, omittingEmptySubsequences: false).dropFirst() {
                names.insert(String(piece.prefix { $0 != "\"" }))
            }
        }
        return names
    }

    @Test(arguments: WebPage.allCases)
    func servesJustWhatItLoads(_ page: WebPage) {
        var found: Set<String> = []
        var open = [page.document]
        while let asset = open.popLast() {
            for name in Self.loaded(by: asset) where found.insert(name).inserted {
                guard let next = WebAsset(rawValue: name) else {
                    Issue.record("\(asset.name) loads \(name), which the program does not carry")
                    continue
                }
                open.append(next)
            }
        }
        #expect(found == Set(page.parts.map(\.name)))
    }

    @Test(arguments: WebPage.allCases)
    func knowsWhereItsPartsLie(_ page: WebPage) {
        #expect(page.document.text.contains(WebPage.placeholder))
        let html = String(decoding: page.html(base: "a&\"b/"), as: UTF8.self)
        #expect(!html.contains("{{"))
        #expect(html.contains("<body data-base=\"a&amp;&quot;b/\">"))
        #expect(html.contains("href=\"a&amp;&quot;b/pages/wsd.css\""))
        let length = page.document.text.utf8.count
        let places =
            page.document.text.split(separator: WebPage.placeholder, omittingEmptySubsequences: false).count - 1
        #expect(page.html(base: "").count == length - places * WebPage.placeholder.utf8.count)
        #expect(html.hasSuffix("</html>\n"))
    }

    /// The policy forbids it, so that the browser would leave it out.
    @Test(arguments: WebPage.allCases)
    func holdsNoInlineCode(_ page: WebPage) {
        let text = page.document.text.lowercased()
        for mark in [
            "<style", " style=", "<script>", "javascript:", " onclick=", " onload=", " onsubmit=", "http://",
            "https://",
        ] {
            #expect(!text.contains(mark), "\(mark)")
        }
    }

    @Test func policies() {
        let fields = Dictionary(uniqueKeysWithValues: WebPage.dashboard.securityFields.map { ($0.name, $0.value) })
        #expect(
            fields["Content-Security-Policy"]
                == "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
                + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
        #expect(fields["X-Content-Type-Options"] == "nosniff")
        #expect(fields["Referrer-Policy"] == "no-referrer")
        #expect(fields["X-Frame-Options"] == "DENY")
        #expect(WebPage.chat.securityFields[0].value.contains("connect-src 'self' ws: wss:;"))
        #expect(WebPage.test.securityFields[0].value.contains("connect-src 'self' ws: wss: http: https:;"))
    }
}

@Suite struct ClassicScriptTests {
    private func derived(_ module: String) -> String? {
        ClassicScript.derived(from: Array(module.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func takesTheExportsAsProperties() {
        let module = "const a = 1;\n/* module */\nx = import.meta.url;\nexport { A, b };\n"
        #expect(derived(module) == "(() => {\nconst a = 1;\nglobalThis.wsd = { A, b };\n})();\n")
    }

    @Test(arguments: [
        "", "\n/* module */\n", "const a = 1;\nexport { a };\n", "a;\n/* module */\nexport default a;\n",
        "a;\n/* module */\nexport { a };\nb();\n", "a;\n/* module */\nexport { a: (() => 1)() };\n",
    ])
    func refusesOtherEnds(_ module: String) {
        #expect(derived(module) == nil)
    }

    @Test func ofTheLibraryItself() throws {
        let script = try #require(derived(WebAsset.clientModule.text))
        #expect(script.hasSuffix("};\n})();\n"))
        #expect(script.contains("globalThis.wsd = { WsdClient,"))
        #expect(!script.contains("import.meta") && !script.contains("\nexport "))
    }
}
