import ControlClient
import Testing
import Wire

@testable import wsctl

@Suite struct BackendScreenTests {
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func dataStandsInTheBodyAsItIs() {
        func body(_ texts: [(String, String?)], _ data: String) -> String {
            String(decoding: BackendBody.object(texts.map { (name: $0.0, text: $0.1) }, data: data), as: UTF8.self)
        }
        #expect(body([("room", "a\"/b"), ("user", nil)], "{\"x\": 1.0}") == #"{"room":"a\"/b","data":{"x": 1.0}}"#)
        #expect(body([], "null") == #"{"data":null}"#)
    }

    @Test func whatBecameOfAPublication() throws {
        func sentence(_ text: String) throws -> String {
            try ControlClient.decode(PublicationAnswer.self, Self.bytes(text)).sentence
        }
        #expect(try sentence(#"{"room":"lobby"}"#) == "Published to lobby.")
        #expect(
            try sentence(#"{"room":"lobby","epoch":"3k9","offset":42}"#)
                == "Published to lobby as offset 42 of epoch 3k9.")
        #expect(
            try sentence(#"{"room":"lobby","epoch":"3k9","offset":7,"duplicate":true}"#)
                == "Not delivered again: lobby has a message of this id as offset 7 of epoch 3k9.")
    }

    @Test func history() throws {
        let page = try HistoryScreen(
            Self.bytes(
                """
                {"room":"r","epoch":"e","offset":9,"messages":[{"offset":7,"from":{"client":"a-1","user":"ada"},"time":1500,\
                "data":{"text": "hi\\n"}},{"offset":8,"from":{"client":"a-2"},"time":2500,"data":[1]},\
                {"offset":9,"time":3000,"data":null}],"more":true}
                """))
        #expect(
            page.lines(.plain) { "\($0)" } == [
                "OFFSET  TIME  FROM  DATA", #"     7  1.5   ada   {"text": "hi\n"}"#, "     8  2.5   a-2   [1]",
                "     9  3.0   -     null",
            ])
        #expect(page.next == 9)
        #expect(page.remark(limit: 3, from: nil, isReversed: true) == "There are more: --from 9 --reverse.")
        let empty = try HistoryScreen(Self.bytes(#"{"room":"r","epoch":"e","offset":9,"messages":[],"more":false}"#))
        #expect(empty.remark(limit: 3, from: nil, isReversed: false) == "No message is kept.")
        #expect(empty.remark(limit: 3, from: 9, isReversed: false) == "No message is kept there.")
        #expect(empty.remark(limit: 0, from: nil, isReversed: false) == "The newest offset is 9 of epoch e.")
        #expect(empty.next == nil)
        #expect(empty.lines(.plain) { "\($0)" }.isEmpty)
    }

    @Test func presence() throws {
        let text =
            #"{"room":"r","members":3,"clients":[{"client":"a-1","user":"ada","info":{"x":1}},{"client":"a-2"}]}"#
        let screen = try PresenceScreen(Self.bytes(text))
        #expect(screen.lines(.plain) == ["CLIENT  USER  INFO", #"a-1     ada   {"x":1}"#, "a-2     -     -"])
        #expect(screen.remark == "2 of 3 are shown.")
        #expect(try PresenceScreen(Self.bytes(#"{"members":0,"clients":[]}"#)).remark == "Nobody is there.")
    }

    @Test(arguments: ["", "[]", "{", #"{"messages":{}}"#, #"{"messages":[1]}"#, #"{"messages":[{]}"#])
    func anotherAnswerIsGarbled(_ text: String) {
        #expect(throws: ControlClientError.self) { try HistoryScreen(Self.bytes(text)) }
    }

    @Test func brokenAnswersNeverTrap() {
        let text = Self.bytes(
            #"{"a":"x\u00e9","members":7,"clients":[{"client":"a-1","info":{}}],"more":true,"messages":[]}"#)
        var noise: UInt8 = 41
        for index in text.indices {
            var broken = text
            noise = noise &* 197 &+ 89
            broken[index] = noise
            _ = try? HistoryScreen(broken).lines(.plain) { "\($0)" }
            _ = try? PresenceScreen(Array(broken[..<index])).lines(.plain)
        }
    }

    @Test func aRoomWithoutHistoryIsAnsweredWithWhatToDo() {
        let refusal = ControlClientError.refused(
            status: 404, ControlError(code: "no_history", message: "The room keeps no history"))
        let advised = HistoryCommand.advised(refusal)
        #expect(
            advised.description
                == "The room keeps no history. To have messages kept from now on, give the room's rule in wsd.yaml a "
                + "historySize (rooms.rules[].historySize, or rooms.defaults.historySize for all rooms) and run "
                + "`wsctl reload`.")
        #expect(CommandStatus(advised) == .refused)
        let other = ControlClientError.refused(status: 503, ControlError(code: "unavailable", message: "Away."))
        #expect(HistoryCommand.advised(other) == other)
    }

    @Test func refusalsOfTheBackendsAPIAreUnderstood() async throws {
        let body = #"{"error":{"code":"no_history","message":"The room keeps no history."}}"#
        let server = try ScriptedServer([
            .send("HTTP/1.1 404 Not Found\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        ])
        let refusal = ControlClientError.refused(
            status: 404, ControlError(code: "no_history", message: "The room keeps no history."))
        await #expect(throws: refusal) {
            try await server.client().bytes(
                ControlRequest(.get, "/v1/api/rooms/\(PercentEncoding.encode("a/b"))/history"))
        }
        #expect(server.request.hasPrefix("GET /v1/api/rooms/a%2Fb/history HTTP/1.1\r\n"))
        #expect(CommandStatus(refusal) == .refused)
    }
}
