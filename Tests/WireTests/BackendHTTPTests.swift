import Foundation
import Model
import NIOCore
import Testing
import Wire

struct BackendHTTPTests {
    private func decode(
        _ method: String, _ path: String, _ body: String = "", query: String? = nil, key: String? = nil
    ) -> Result<BackendRequest, BackendError> {
        BackendHTTP.decode(
            method: method, path: path, query: query, idempotencyKey: key, body: ByteBuffer(string: body),
            maxRoomLength: 16)
    }

    private func refusal(_ result: Result<BackendRequest, BackendError>) -> BackendErrorCode? {
        guard case .failure(let error) = result else { return nil }
        #expect(!error.message.isEmpty)
        return error.code
    }

    private static func data(_ text: String) -> JSONText { JSONText(unchecked: text.utf8) }

    private static let lobby = RoomName("lobby")

    @Test func publications() {
        #expect(
            decode("POST", "publish", "{\"room\":\"lobby\",\"data\": {\n \"a\":1 } ,\"unknown\":[]}")
                == .success(.publish(Self.lobby, BackendMessage(data: Self.data("{\n \"a\":1 }")))))
        #expect(
            decode("POST", "publish", #"{"room":"lobby","data":null,"messageId":"m","user":"ada"}"#)
                == .success(
                    .publish(
                        Self.lobby,
                        BackendMessage(
                            data: Self.data("null"), messageID: MessageID("m"), sender: UserName("ada")))))
        #expect(
            decode("POST", "publish-many", #"{"rooms":["lobby","é"],"data":1}"#)
                == .success(.publishMany([Self.lobby, RoomName("é")], BackendMessage(data: Self.data("1")))))
        #expect(
            decode("POST", "broadcast", #"{"data":1}"#) == .success(.broadcast(BackendMessage(data: Self.data("1")))))
        #expect(
            decode("POST", "users/a%2Fb%20c+d/send", #"{"data":1,"user":"eve","sender":"bot"}"#)
                == .success(
                    .sendToUser(
                        UserName("a/b c+d"), BackendMessage(data: Self.data("1"), sender: UserName("bot")))))
    }

    @Test func readingAndManaging() {
        #expect(decode("GET", "rooms") == .success(.rooms(prefix: "", limit: 100)))
        #expect(
            decode("GET", "rooms", query: "prefix=chat%3A+x&limit=7&")
                == .success(.rooms(prefix: "chat: x", limit: 7)))
        #expect(decode("GET", "rooms/lobby/presence") == .success(.presence(Self.lobby)))
        #expect(decode("GET", "rooms/a%2Fb/count") == .success(.presenceCount(RoomName("a/b"))))
        #expect(decode("GET", "rooms/lobby/history") == .success(.history(Self.lobby, HistoryQuery())))
        var query = HistoryQuery()
        query.from = 41
        query.limit = 0
        query.reverse = true
        #expect(
            decode("GET", "rooms/lobby/history", query: "from=41&limit=0&reverse=true")
                == .success(.history(Self.lobby, query)))
        #expect(decode("DELETE", "rooms/lobby/history") == .success(.removeHistory(Self.lobby)))
        #expect(decode("GET", "info") == .success(.info))
        #expect(decode("POST", "users/ada/disconnect") == .success(.disconnectUser(UserName("ada"), BackendClose())))
        #expect(
            decode("POST", "clients/11-2/disconnect", #"{"code":4100,"reason":"bye"}"#)
                == .success(
                    .disconnectClient(
                        ClientID("11-2")!, BackendClose(code: CloseCode(rawValue: 4100), reason: "bye"))))
        #expect(
            decode("POST", "users/ada/subscribe", #"{"room":"lobby"}"#)
                == .success(.subscribe(UserName("ada"), Self.lobby)))
        #expect(
            decode("POST", "users/ada/unsubscribe", #"{"room":"lobby"}"#)
                == .success(.unsubscribe(UserName("ada"), Self.lobby)))
    }

    @Test(
        arguments: [
            ("GET", "", "", .notFound), ("POST", "publish/", "{}", .notFound), ("GET", "rooms/a/b", "", .notFound),
            ("GET", "publish", "", .methodNotAllowed), ("PUT", "rooms/lobby/history", "", .methodNotAllowed),
            ("POST", "publish", "", .invalidRequest), ("POST", "publish", "[]", .invalidRequest),
            ("POST", "publish", #"{"room":"lobby"}"#, .invalidRequest),
            ("POST", "publish", #"{"room":"lobby","data":tru}"#, .invalidRequest),
            ("POST", "publish", #"{"room":"","data":1}"#, .invalidRequest),
            ("POST", "publish", #"{"room":7,"data":1}"#, .invalidRequest),
            ("POST", "publish", #"{"room":"0123456789abcdefg","data":1}"#, .invalidRequest),
            ("POST", "publish", #"{"room":"r","data":1,"messageId":""}"#, .invalidRequest),
            ("POST", "publish", #"{"room":"r","data":1,"user":""}"#, .invalidRequest),
            ("POST", "publish-many", #"{"rooms":[],"data":1}"#, .invalidRequest),
            ("POST", "publish-many", #"{"rooms":[1],"data":1}"#, .invalidRequest),
            ("POST", "publish-many", #"{"rooms":"r","data":1}"#, .invalidRequest),
            ("GET", "rooms/%zz/count", "", .invalidRequest), ("GET", "rooms/%ff/count", "", .invalidRequest),
            ("POST", "clients/nobody/disconnect", "", .invalidRequest),
            ("POST", "users/ada/disconnect", #"{"code":1006}"#, .invalidRequest),
            ("POST", "users/ada/disconnect", #"{"code":70000}"#, .invalidRequest),
            ("POST", "users/ada/subscribe", "", .invalidRequest),
            ("POST", "users//send", #"{"data":1}"#, .invalidRequest),
            ("POST", "batch", "{}", .invalidRequest), ("POST", "batch", #"{"requests":[1]}"#, .invalidRequest),
            ("POST", "batch", #"{"requests":[{"type":"batch","requests":[]}]}"#, .invalidRequest),
            ("POST", "batch", #"{"requests":[{"type":"info"},{"type":"publish"}]}"#, .invalidRequest),
        ] as [(String, String, String, BackendErrorCode)])
    func refusals(_ method: String, _ path: String, _ body: String, _ expected: BackendErrorCode) {
        #expect(refusal(decode(method, path, body)) == expected)
    }

    @Test func queriesAreChecked() {
        for query in ["limit=x", "limit=0", "limit=1001", "prefix=%f", "limit=-1"] {
            #expect(refusal(decode("GET", "rooms", query: query)) == .invalidRequest)
        }
        #expect(refusal(decode("GET", "rooms/lobby/history", query: "limit=1001")) == .invalidRequest)
        #expect(refusal(decode("GET", "rooms/lobby/history", query: "reverse=maybe")) == .invalidRequest)
    }

    @Test(
        arguments: [
            ("GET", "rooms", "other", "`other`", "`prefix` and `limit`"),
            ("GET", "rooms", "from=1", "`from`", "`prefix` and `limit`"),
            ("GET", "rooms/lobby/history", "limit=1&Limit=2", "`Limit`", "`from`, `limit` and `reverse`"),
            ("DELETE", "rooms/lobby/history", "from=1", "`from`", "none"), ("GET", "info", "=x", "``", "none"),
            ("POST", "publish", "room=lobby", "`room`", "none"), ("GET", "rooms/a/count", "%61=1", "`a`", "none"),
            ("POST", "users/ada/disconnect", "\(String(repeating: "x", count: 5000))=1", "`x", "none"),
        ])
    func unknownParametersAreRefused(
        _ method: String, _ path: String, _ query: String, _ name: String, _ known: String
    ) throws {
        guard case .failure(let error) = decode(method, path, #"{"room":"lobby","data":1}"#, query: query) else {
            return #expect(Bool(false), "taken")
        }
        #expect(error.code == .invalidRequest)
        #expect(error.message.contains("no parameter \(name)") && error.message.hasSuffix(" it takes \(known)"))
        #expect(error.message.utf8.count < 200)
    }

    @Test func bodiesAreUTF8() {
        let body = ByteBuffer(bytes: Array(#"{"room":"r","data":""#.utf8) + [0xFF] + Array(#""}"#.utf8))
        let result = BackendHTTP.decode(
            method: "POST", path: "publish", query: nil, idempotencyKey: nil, body: body, maxRoomLength: 16)
        #expect(refusal(result) == .invalidRequest)
    }

    @Test func aKeyNamesTheMessagesWithoutAName() throws {
        let one = try decode("POST", "publish", #"{"room":"r","data":1}"#, key: "k").get()
        #expect(
            one == .publish(RoomName("r"), BackendMessage(data: Self.data("1"), messageID: MessageID("k"))))
        let batch = try decode(
            "POST", "batch",
            #"{"requests":[{"type":"broadcast","data":1},{"type":"info"},{"type":"broadcast","data":2,"messageId":"own"}]}"#,
            key: "k"
        ).get()
        #expect(
            batch
                == .batch([
                    .broadcast(BackendMessage(data: Self.data("1"), messageID: MessageID("k:0"))), .info,
                    .broadcast(BackendMessage(data: Self.data("2"), messageID: MessageID("own"))),
                ]))
        let long = String(repeating: "k", count: MessageID.maxLength)
        #expect((try? decode("POST", "broadcast", #"{"data":1}"#, key: long).get()) != nil)
        #expect(refusal(decode("POST", "broadcast", #"{"data":1}"#, key: long + "k")) == .invalidRequest)
        #expect(
            refusal(decode("POST", "batch", #"{"requests":[{"type":"info"}]}"#, key: long)) == .invalidRequest)
    }

    @Test func rights() {
        #expect(BackendRequest.info.rights == [.observe])
        #expect(BackendRequest.removeHistory(Self.lobby).rights == [.manage])
        let publish = BackendRequest.publish(Self.lobby, BackendMessage(data: Self.data("1")))
        #expect(BackendRequest.batch([publish, .info, publish]).rights == [.publish, .observe])
        #expect(BackendRequest.batch([]).rights == [])
    }

    @Test func requestsSurviveTheWayToTheHub() throws {
        let message = BackendMessage(data: Self.data("{ \"a\" : [1.0, \"☂\"] }"))
        var full = message
        full.messageID = MessageID("m\"1")
        full.sender = UserName("a\\da")
        var query = HistoryQuery()
        query.from = .max
        query.limit = 0
        query.reverse = true
        let close = BackendClose(code: CloseCode(rawValue: 4999), reason: "bye \"now\"")
        let requests: [BackendRequest] = [
            .publish(Self.lobby, message), .publish(Self.lobby, full), .publishMany([Self.lobby, RoomName("ü")], full),
            .broadcast(message), .broadcast(full), .sendToUser(UserName("ada"), message),
            .sendToUser(UserName("ada"), full), .presence(Self.lobby), .presenceCount(Self.lobby),
            .history(Self.lobby, HistoryQuery()), .history(Self.lobby, query), .removeHistory(Self.lobby),
            .disconnectUser(UserName("ada"), BackendClose()),
            .disconnectClient(ClientID(boot: BootID(rawValue: .max), serial: .max), close),
            .subscribe(UserName("ada"), Self.lobby), .unsubscribe(UserName("ada"), Self.lobby),
            .rooms(prefix: "a\"", limit: 7), .info,
        ]
        for request in requests + [.batch(requests), .batch([])] {
            #expect(BackendRequest.decode(request.encoded()) == .success(request))
            #expect(try JSONDecoder().decode(BackendRequest.self, from: JSONEncoder().encode(request)) == request)
        }
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func garbageNeverTraps(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let text =
            #"{"requests":[{"type":"publish","room":"r","data":{"a":1},"messageId":"m"},{"type":"disconnect","client":"1-1"}]}"#
        for _ in 0..<1_000 {
            var bytes = Array(text.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...127, using: &generator)
            }
            _ = BackendHTTP.decode(
                method: "POST", path: "batch", query: nil, idempotencyKey: nil, body: ByteBuffer(bytes: bytes),
                maxRoomLength: 16)
        }
    }
}
