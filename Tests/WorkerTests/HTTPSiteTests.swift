import Glibc
import Model
import NIOCore
import Testing

@testable import Worker

/// A folder of its own under the temporary one, removed at the end.
private enum Folder {
    /// - Parameters:
    ///   - files: contents by name.
    ///   - folders: those that `files` needs.
    static func with(
        _ files: [String: String],
        folders: [String] = [],
        _ body: (WsdConfiguration) async throws -> Void
    ) async throws {
        var template = Array("/tmp/wsd-static-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in buffer.baseAddress.flatMap { mkdtemp($0) } }
        let path = String(cString: try #require(made))
        defer {
            for name in files.keys { unlink("\(path)/\(name)") }
            for name in folders { rmdir("\(path)/\(name)") }
            rmdir(path)
        }
        for name in folders { mkdir("\(path)/\(name)", 0o755) }
        for (name, text) in files {
            let file = try #require(fopen("\(path)/\(name)", "w"))
            fputs(text, file)
            fclose(file)
        }
        var configuration = WsdConfiguration()
        configuration.http.staticFolder = path
        try await body(configuration)
    }
}

@Suite struct HTTPSiteTests {
    @Test func settings() async throws {
        var configuration = WsdConfiguration()
        configuration.http.trustedProxies = ["127.0.0.0/8"]
        try await HTTPServerFixture.with(configuration) { server async throws in
            let fields = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: chat.example\r\n"
            let json = try await server.get("/wsd/config.json", fields: fields)
            #expect(json.body.hasPrefix(#"{"connectionString":"wss://chat.example/ws","#))
            #expect(json.field("content-type") == "application/json")
            let script = try await server.get("/wsd/config.js", fields: fields)
            #expect(script.body.hasPrefix(#"window.wsConfig = {"connectionString":"wss://chat.example/ws","#))
            #expect(script.field("content-type") == "text/javascript; charset=utf-8")
        }
        try await HTTPServerFixture.with { server async throws in
            let json = try await server.get("/wsd/config.json", fields: "X-Forwarded-Host: evil.example\r\n")
            #expect(json.body.hasPrefix(#"{"connectionString":"ws://example.org/ws","#))
        }
    }

    @Test func explainsItself() async throws {
        try await HTTPServerFixture.with { server async throws in
            let endpoint = try await server.get("/ws")
            #expect(endpoint.statusLine == "HTTP/1.1 426 Upgrade Required")
            #expect(endpoint.field("upgrade") == "websocket")
            #expect(endpoint.body.contains("WebSocket"))
            #expect(try await server.get("/wsd/echo").statusLine == "HTTP/1.1 426 Upgrade Required")
            #expect(try await server.get("/nothing").statusLine == "HTTP/1.1 404 Not Found")
            let json = try await server.get("/nothing", fields: "Accept: application/json\r\n")
            #expect(json.body == "{\"code\":\"notFound\",\"error\":\"Nothing is served under this path.\"}\n")
            let posted = try await server.get("/healthz", method: "DELETE")
            #expect(posted.statusLine == "HTTP/1.1 405 Method Not Allowed")
            #expect(posted.field("allow") == "GET, HEAD")
            #expect(try await server.get("/wsd/metrics").statusLine == "HTTP/1.1 404 Not Found")
        }
    }

    @Test func pagesInDevOnly() async throws {
        try await HTTPServerFixture.with { server async throws in
            for path in ["/", "/wsd/test", "/?x=1", "/wsd/demo/chat"] {
                let page = try await server.get(path)
                #expect(page.statusLine == "HTTP/1.1 200 OK")
                #expect(page.field("content-type") == "text/html; charset=utf-8")
            }
        }
        var configuration = WsdConfiguration()
        configuration.mode = .prod
        configuration.http.metrics = true
        try await HTTPServerFixture.with(configuration) { server async throws in
            #expect(try await server.get("/").statusLine == "HTTP/1.1 426 Upgrade Required")
            for path in ["test", "demo/chat", "pages/wsd.css", "pages/test.js", "probe", "dashboard", "echo"] {
                #expect(try await server.get("/wsd/" + path).statusLine == "HTTP/1.1 404 Not Found", "\(path)")
            }
            #expect(try await server.get("/nothing").field("access-control-allow-origin") == nil)
            #expect(try await server.get("/wsd/metrics").body == "wsd_clients 3\n")
            #expect(try await server.get("/wsd/client.js").statusLine == "HTTP/1.1 200 OK")
        }
        configuration.http.testPage = true
        try await HTTPServerFixture.with(configuration) { server async throws in
            #expect(try await server.get("/wsd/test").statusLine == "HTTP/1.1 200 OK")
            #expect(try await server.get("/").statusLine == "HTTP/1.1 200 OK")
        }
    }

    private static let big = String(repeating: "0123456789abcdef", count: 40_000)

    @Test func staticFolder() async throws {
        let files = [
            "index.html": "<p>home</p>", "app.js": "let a = 1;", ".env": "secret", "sub/index.html": "sub",
            "big.txt": Self.big,
        ]
        try await Folder.with(files, folders: ["sub"]) { configuration in
            try await HTTPServerFixture.with(configuration) { try await checkFiles($0) }
        }
    }

    private func checkFiles(_ server: HTTPServerFixture) async throws {
        let home = try await server.get("/")
        #expect(home.body == "<p>home</p>")
        #expect(home.field("content-type") == "text/html; charset=utf-8")
        #expect(home.field("x-content-type-options") == "nosniff")
        let tag = try #require(home.field("etag"))
        let again = try await server.get("/", fields: "If-None-Match: \(tag)\r\n")
        #expect(again.statusLine == "HTTP/1.1 304 Not Modified")
        #expect(again.body.isEmpty)
        let since = try #require(home.field("last-modified"))
        let kept = try await server.get("/index.html", fields: "If-Modified-Since: \(since)\r\n")
        #expect(kept.statusLine == "HTTP/1.1 304 Not Modified")
        #expect(try await server.get("/app.js?v=1").body == "let a = 1;")
        let head = try await server.get("/app.js", method: "HEAD")
        #expect(head.field("content-length") == "10")
        #expect(head.body.isEmpty)
        #expect(try await server.get("/sub/").body == "sub")
        let moved = try await server.get("/sub?q=1")
        #expect(moved.statusLine == "HTTP/1.1 301 Moved Permanently")
        #expect(moved.field("location") == "/sub/?q=1")
        let part = try await server.get("/big.txt", fields: "Range: bytes=5-9\r\n")
        #expect(part.statusLine == "HTTP/1.1 206 Partial Content")
        #expect(part.field("content-range") == "bytes 5-9/640000")
        #expect(part.body == "56789")
        #expect(try await server.get("/big.txt").body == Self.big)
        let beyond = try await server.get("/big.txt", fields: "Range: bytes=640000-\r\n")
        #expect(beyond.statusLine == "HTTP/1.1 416 Range Not Satisfiable")
        for path in ["/.env", "/%2eenv", "/../etc/passwd", "/sub/../.env", "/sub/..%2f.env", "//etc/passwd", "/absent"]
        {
            #expect(try await server.get(path).statusLine == "HTTP/1.1 404 Not Found", "\(path)")
        }
        #expect(try await server.get("/%00").statusLine == "HTTP/1.1 400 Bad Request")
        #expect(try await server.get("/ws").statusLine == "HTTP/1.1 426 Upgrade Required")
    }

    @Test func singlePage() async throws {
        try await Folder.with(["index.html": "app"]) { configuration in
            var configuration = configuration
            configuration.http.singlePage = true
            try await HTTPServerFixture.with(configuration) { server async throws in
                let html = "Accept: text/html,application/xhtml+xml\r\n"
                #expect(try await server.get("/some/view", fields: html).body == "app")
                let image = try await server.get("/some/image.png", fields: "Accept: image/*\r\n")
                #expect(image.statusLine.contains("404"))
                #expect(try await server.get("/wsd/unknown", fields: html).statusLine.contains("404"))
                #expect(try await server.get("/ws", fields: html).statusLine.contains("426"))
                #expect(try await server.get("/some/view", fields: html, method: "POST").statusLine.contains("404"))
            }
        }
    }
}
