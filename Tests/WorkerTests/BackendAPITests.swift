import Model
import NIOCore
import Testing

@testable import Worker

@Suite struct BackendAPITests {
    /// SHA-256 of `secret`, and of `looker`.
    private static let configuration: WsdConfiguration = {
        var configuration = WsdConfiguration()
        var app = APIKey()
        app.name = "app"
        app.sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
        var looker = APIKey()
        looker.name = "looker"
        looker.sha256 = "d133efd9800e396abbeb9de0cc7a6f873d58159121a0fc587f8a2ec1208ad50a"
        looker.allow = [.observe]
        configuration.api.keys = [app, looker]
        configuration.api.maxBody = 2048
        return configuration
    }()

    private static func post(_ body: String, path: String = "publish", key: String? = "secret") -> String {
        let authorization = key.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        return "POST /wsd/api/v1/\(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(authorization)"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    @Test func theCallGoesToTheHubAndItsAnswerComesBack() async throws {
        try await HTTPServerFixture.with(Self.configuration) { server async throws in
            try await server.onLoop {
                server.facts.value.backendAnswer = .success(Array(#"{"room":"r","offset":7}"#.utf8))
            }
            let answer = try await server.exchange(Self.post(#"{"room":"r","data":{"a" : 1.0}}"#))
            #expect(answer.statusLine == "HTTP/1.1 200 OK")
            #expect(answer.body == #"{"room":"r","offset":7}"#)
            #expect(answer.field("content-type") == "application/json")
            let calls = try await server.onLoop { server.facts.value.backendCalls }
            #expect(calls.count == 1 && calls[0].contains(#"{"a" : 1.0}"#))
        }
    }

    @Test(
        arguments: [
            (nil, "publish", #"{"room":"r","data":1}"#, 401, "unauthorized"),
            ("wrong", "publish", #"{"room":"r","data":1}"#, 401, "unauthorized"),
            ("looker", "publish", #"{"room":"r","data":1}"#, 403, "forbidden"),
            ("secret", "publish", #"{"room":"r""#, 400, "invalid_request"),
            ("secret", "dance", "{}", 404, "not_found"),
            ("secret", "info", "{}", 405, "method_not_allowed"),
        ] as [(String?, String, String, Int, String)])
    func refusals(key: String?, path: String, body: String, status: Int, code: String) async throws {
        try await HTTPServerFixture.with(Self.configuration) { server async throws in
            let answer = try await server.exchange(Self.post(body, path: path, key: key))
            #expect(answer.statusLine.hasPrefix("HTTP/1.1 \(status) "))
            #expect(answer.body.contains(#""code":"\#(code)""#))
            #expect(try await server.onLoop { server.facts.value.backendCalls }.isEmpty)
        }
    }

    @Test func aBodyAboveTheBoundIsRefusedInJSON() async throws {
        try await HTTPServerFixture.with(Self.configuration) { server async throws in
            let answer = try await server.exchange(Self.post(String(repeating: "x", count: 4000)))
            #expect(answer.statusLine.hasPrefix("HTTP/1.1 413 "))
            #expect(answer.field("content-type") == "application/json")
            #expect(answer.body.contains(#""code":"too_large""#))
        }
    }

    @Test func anAbsentHubIsATemporaryError() async throws {
        try await HTTPServerFixture.with(Self.configuration) { server async throws in
            try await server.onLoop { server.facts.value.backendAnswer = .failure(ClientRefusal(.unavailable)) }
            let answer = try await server.exchange(Self.post(#"{"room":"r","data":1}"#))
            #expect(answer.statusLine.hasPrefix("HTTP/1.1 503 "))
            #expect(answer.field("retry-after") == "1")
        }
    }

    @Test func withoutKeysThereIsNoAPI() async throws {
        try await HTTPServerFixture.with { server async throws in
            let answer = try await server.exchange(Self.post(#"{"room":"r","data":1}"#))
            #expect(answer.statusLine.hasPrefix("HTTP/1.1 404 ") && answer.body.contains("wsctl key new"))
        }
    }
}
