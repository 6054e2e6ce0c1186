import Model
import NIOCore
import Testing

@testable import Worker

@Suite struct ClientLibraryTests {
    @Test(arguments: ["client.js", "client.classic.js", "client.d.ts"])
    func isServedWithATag(_ name: String) async throws {
        try await HTTPServerFixture.with { server async throws in
            let whole = try await server.get("/wsd/\(name)")
            #expect(whole.statusLine == "HTTP/1.1 200 OK")
            #expect(whole.field("content-length") == "\(whole.body.utf8.count)")
            #expect(whole.field("access-control-allow-origin") == "*")
            #expect(whole.field("cache-control") == "no-cache")
            #expect(whole.field("vary") == "Accept-Encoding")
            #expect(whole.field("x-content-type-options") == "nosniff")
            let tag = try #require(whole.field("etag"))
            #expect(tag.hasPrefix("\"") && tag.hasSuffix("\"") && tag.utf8.count > 10)

            let kept = try await server.get("/wsd/\(name)", fields: "If-None-Match: \"x\", \(tag)\r\n")
            #expect(kept.statusLine == "HTTP/1.1 304 Not Modified")
            #expect(kept.body.isEmpty && kept.field("content-length") == nil)
            #expect(kept.field("etag") == tag && kept.field("access-control-allow-origin") == "*")
            #expect(try await server.get("/wsd/\(name)", fields: "If-None-Match: \"x\"\r\n").body == whole.body)

            let head = try await server.get("/wsd/\(name)", method: "HEAD")
            #expect(head.body.isEmpty)
            #expect(head.field("content-length") == whole.field("content-length") && head.field("etag") == tag)
            #expect(try await server.get("/wsd/\(name)", method: "POST").statusLine.contains("405"))
        }
    }

    @Test func versionMakesItImmutable() async throws {
        try await HTTPServerFixture.with { server async throws in
            let forever = "public, max-age=31536000, immutable"
            for (query, expected) in [
                ("?v=\(WsdVersion.current)", forever), ("?a=1&v=\(WsdVersion.current)", forever),
                ("?v=0.0.0", "no-cache"),
                ("?v=", "no-cache"), ("?w=\(WsdVersion.current)", "no-cache"),
            ] {
                let answer = try await server.get("/wsd/client.js\(query)")
                #expect(answer.field("cache-control") == expected, "\(query)")
            }
            let kept = try await server.get("/wsd/client.js?v=\(WsdVersion.current)", fields: "If-None-Match: *\r\n")
            #expect(kept.statusLine.contains("304") && kept.field("cache-control") == forever)
            // The document of a page says what it loads: it is always asked for again.
            #expect(try await server.get("/wsd/test?v=\(WsdVersion.current)").field("cache-control") == "no-cache")
        }
    }

    @Test func compressedHasATagOfItsOwn() async throws {
        try await HTTPServerFixture.with { server async throws in
            let plain = try await server.get("/wsd/client.js")
            let zipped = try await server.get("/wsd/client.js", fields: "Accept-Encoding: br, gzip\r\n", method: "HEAD")
            #expect(zipped.field("content-encoding") == "gzip")
            let lengths = [plain, zipped].compactMap { $0.field("content-length").flatMap { Int($0) } }
            #expect(lengths.count == 2 && lengths[1] * 2 < lengths[0])
            let tag = try #require(zipped.field("etag"))
            #expect(tag != plain.field("etag"))
            let kept = try await server.get(
                "/wsd/client.js", fields: "Accept-Encoding: gzip\r\nIf-None-Match: \(tag)\r\n")
            #expect(kept.statusLine.contains("304") && kept.field("etag") == tag)
            // The tag of the other form says nothing of this one.
            #expect(
                try await server.get("/wsd/client.js", fields: "If-None-Match: \(tag)\r\n").statusLine.contains("200"))
            #expect(try await server.get("/wsd/client.js", fields: "Accept-Encoding: gzip;q=0\r\n").body == plain.body)
        }
    }

    @Test func prefixMovesIt() async throws {
        var configuration = WsdConfiguration()
        configuration.http.prefix = "/a/b/"
        try await HTTPServerFixture.with(configuration) { server async throws in
            #expect(try await server.get("/a/b/client.js").statusLine.contains("200"))
            #expect(try await server.get("/wsd/client.js").statusLine.contains("404"))
            #expect(try await server.get("/").body.contains("src=\"a/b/pages/test.js\""))
            #expect(try await server.get("/a/b/test").body.contains("src=\"./pages/test.js\""))
            #expect(try await server.get("/a/b/demo/chat").body.contains("src=\"../pages/chat.js\""))
        }
    }
}

@Suite struct PagesTests {
    @Test func arePolicedStrictly() async throws {
        try await HTTPServerFixture.with { server async throws in
            for path in ["/", "/wsd/test", "/wsd/demo/chat"] {
                let page = try await server.get(path)
                let policy = try #require(page.field("content-security-policy"))
                #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self'; "))
                #expect(policy.hasSuffix("base-uri 'none'; form-action 'none'; frame-ancestors 'none'"))
                #expect(!policy.contains("unsafe") && !policy.contains("nonce"))
                #expect(page.field("x-content-type-options") == "nosniff")
                #expect(page.field("x-frame-options") == "DENY")
                #expect(page.field("referrer-policy") == "no-referrer")
                #expect(page.field("access-control-allow-origin") == nil)
                #expect(page.field("etag") != nil)
            }
            let script = try await server.get("/wsd/pages/chat.js")
            #expect(script.field("content-type") == "text/javascript; charset=utf-8")
            #expect(script.field("access-control-allow-origin") == nil)
            #expect(try await server.get("/wsd/pages/wsd.css").field("content-type") == "text/css; charset=utf-8")
            for name in ["dashboard.js", "test.html", "", "x.js", "..%2fclient.js"] {
                #expect(try await server.get("/wsd/pages/\(name)").statusLine.contains("404"), "\(name)")
            }
        }
    }

    /// So that a test page of another origin can tell what it has reached.
    @Test func plainAnswersMayBeReadByOtherPages() async throws {
        try await HTTPServerFixture.with { server async throws in
            for path in ["/healthz", "/nothing", "/ws"] {
                #expect(try await server.get(path).field("access-control-allow-origin") == "*", "\(path)")
            }
            #expect(try await server.get("/readyz").field("access-control-allow-origin") == nil)
        }
    }

    @Test(arguments: [
        ("gzip", true), ("GZIP", true), ("br;q=1, gzip;q=0.8", true), ("x-gzip", true), ("gzip ; q=0.001", true),
        ("gzip;q=0", false), ("gzip; q=0.00", false), ("br", false), ("", false), ("gzipped", false), ("*", false),
    ])
    func encodings(_ field: String, _ isAccepted: Bool) {
        #expect(Gzip.isAccepted(by: field) == isAccepted)
        #expect(!Gzip.isAccepted(by: nil))
    }

    @Test func whatDoesNotShrinkStaysPlain() throws {
        #expect(Gzip.compressed([]) == nil)
        #expect(Gzip.compressed([1, 2, 3]) == nil)
        let zipped = try #require(Gzip.compressed([UInt8](repeating: 7, count: 10_000)))
        #expect(zipped.count < 100 && zipped.starts(with: [0x1F, 0x8B]))
    }
}
