import Model
import NIOCore
import Testing
import Wire

struct V1EncodingTests {
    private static let client = ClientID(boot: BootID(rawValue: 33), serial: 2)
    private static let position = RoomPosition(epoch: RoomEpoch("3k9")!, offset: 42)

    private func written(_ write: (inout ByteBuffer) -> Void) -> String {
        var buffer = ByteBuffer()
        write(&buffer)
        let text = String(buffer: buffer)
        #expect(throws: Never.self) { try Array(text.utf8).withUnsafeBytes { _ = try JSONScanner.scanValue($0) } }
        return text
    }

    private func reply(_ data: V1ReplyData) -> String {
        written { V1Dialect.writeReply(RequestID(json: "2"), data, into: &$0) }
    }

    private func delivery(
        _ kind: HubDeliveryKind, payload: String = "", _ change: (inout HubDelivery) -> Void = { _ in }
    ) -> String {
        var delivery = HubDelivery(
            origin: BootID(rawValue: 33), sequence: 1, kind: kind, subject: Self.client, room: RoomName("lobby"))
        delivery.time = 1_763_717_000_000
        change(&delivery)
        return written {
            V1Dialect.writeDelivery(
                delivery, payload: ByteBuffer(string: payload).readableBytesView, typingTimeout: .seconds(6), into: &$0)
        }
    }

    @Test func greetings() {
        var connected = V1Connected(
            client: Self.client, session: SessionID(rawValue: 40),
            server: V1ServerHints(
                pingInterval: .seconds(25), pongTimeout: .seconds(10), maxMessageSize: 65536,
                rate: RateLimit(perSecond: 10, burst: 20)))
        let hints =
            #""pingInterval":25000,"pongTimeout":10000,"maxMessageSize":65536"#
        let bounds = #""reconnectMin":500,"reconnectMax":20000}}"#
        #expect(
            written { V1Dialect.writeConnected(connected, into: &$0) }
                == #"{"type":"connected","client":"11-2","session":"18","user":null,"authenticated":false,"#
                + #""authRequired":false,"server":{"version":"\#(WsdVersion.current)",\#(hints),"messagesPerSecond":10,"#
                + #""burst":20,\#(bounds)"#)
        connected.user = UserName("ada")
        connected.isAuthenticated = true
        connected.isAuthRequired = true
        connected.expiresIn = .milliseconds(3_599_001)
        connected.data = #"{"theme":"dark"}"#
        connected.server.rate = .off
        #expect(
            written { V1Dialect.writeConnected(connected, into: &$0) }
                == #"{"type":"connected","client":"11-2","session":"18","user":"ada","authenticated":true,"#
                + #""authRequired":true,"expiresIn":3600,"data":{"theme":"dark"},"#
                + #""server":{"version":"\#(WsdVersion.current)",\#(hints),\#(bounds)"#)
        connected.server.rate = RateLimit(perSecond: 0.5, burst: 3)
        #expect(
            written { V1Dialect.writeConnected(connected, into: &$0) }.contains(
                #""messagesPerSecond":0.5,"burst":3,"#))
    }

    @Test func messages() {
        #expect(
            delivery(.message, payload: #"{"text": "hi"}"#) { delivery in
                delivery.position = Self.position
                delivery.messageID = MessageID("m\"1")
                delivery.user = UserName("ada")
            }
                == #"{"type":"message","room":"lobby","epoch":"3k9","offset":42,"id":"m\"1","#
                + #""from":{"client":"11-2","user":"ada"},"time":1763717000000,"data":{"text": "hi"}}"#)
        #expect(
            delivery(.message, payload: "1")
                == #"{"type":"message","room":"lobby","from":{"client":"11-2"},"time":1763717000000,"data":1}"#)
        #expect(
            delivery(.message, payload: "1") { $0.subject.serial = 0 }
                == #"{"type":"message","room":"lobby","time":1763717000000,"data":1}"#)
        #expect(
            delivery(.broadcast, payload: "[]") { delivery in
                delivery.subject.serial = 0
                delivery.user = UserName("bot")
            } == #"{"type":"broadcast","from":{"user":"bot"},"time":1763717000000,"data":[]}"#)
        #expect(
            delivery(.direct, payload: "1") { $0.messageID = MessageID("m") }
                == #"{"type":"direct","id":"m","from":{"client":"11-2"},"time":1763717000000,"data":1}"#)
    }

    @Test func membersTypingAndReading() {
        let ada = { (delivery: inout HubDelivery) in delivery.user = UserName("ada") }
        #expect(delivery(.userJoined) == #"{"type":"userJoined","room":"lobby","client":"11-2"}"#)
        #expect(
            delivery(.userLeft, payload: #"{"name":"Ada"}"#, ada)
                == #"{"type":"userLeft","room":"lobby","client":"11-2","user":"ada","info":{"name":"Ada"}}"#)
        #expect(
            delivery(.typingStarted, ada)
                == #"{"type":"typing","room":"lobby","client":"11-2","user":"ada","typing":true,"expiresIn":6000}"#)
        #expect(
            delivery(.typingStopped) == #"{"type":"typing","room":"lobby","client":"11-2","typing":false}"#)
        #expect(delivery(.read) { $0.offset = 41 } == #"{"type":"read","room":"lobby","client":"11-2","offset":41}"#)
        #expect(
            delivery(.read) { delivery in
                delivery.offset = 41
                delivery.user = UserName("ada")
            } == #"{"type":"read","room":"lobby","user":"ada","offset":41}"#)
    }

    @Test func missedMessagesAreAsIfTheyHadJustCome() {
        let entry = HistoryEntry(
            offset: 42, time: 1_763_717_000_000, subject: Self.client, user: UserName("ada"),
            messageID: MessageID("m"), data: Array("1".utf8))
        let live = delivery(.message, payload: "1") { delivery in
            delivery.position = Self.position
            delivery.messageID = MessageID("m")
            delivery.user = UserName("ada")
        }
        func missed(_ entries: ArraySlice<HistoryEntry>) -> String {
            written { V1Dialect.writeMissed(entries, room: RoomName("lobby"), epoch: Self.position.epoch, into: &$0) }
        }
        #expect(missed([entry]) == live)
        #expect(missed([entry, entry, entry].dropFirst()) == "[\(live),\(live)]")
    }

    @Test func replies() {
        let room = RoomName("lobby")
        func data(_ text: String) -> String { #"{"type":"reply","requestId":2,"data":\#(text)}"# }
        #expect(
            reply(.authenticated(user: UserName("ada"), expiresIn: .seconds(9)))
                == data(#"{"user":"ada","expiresIn":9}"#))
        #expect(reply(.authenticated(user: nil, expiresIn: nil)) == data(#"{"user":null}"#))
        #expect(reply(.room(room)) == data(#"{"room":"lobby"}"#))
        #expect(
            reply(.published(room, position: nil, isRepetition: false)) == data(#"{"room":"lobby"}"#))
        #expect(
            reply(.published(room, position: Self.position, isRepetition: true))
                == data(#"{"room":"lobby","epoch":"3k9","offset":42,"duplicate":true}"#))
        #expect(reply(.sent(UserName("ada"))) == data(#"{"user":"ada"}"#))
        #expect(reply(.broadcast) == data("{}"))
        #expect(reply(.time(-5)) == data(#"{"time":-5}"#))
        #expect(reply(.json(JSONText(unchecked: #"{"price": 7}"#.utf8))) == data(#"{"price": 7}"#))
        let clients = [
            PresenceEntry(client: Self.client, user: UserName("ada"), info: #"{"a":1}"#),
            PresenceEntry(client: Self.client, user: nil, info: nil),
        ]
        let list = #"[{"client":"11-2","user":"ada","info":{"a":1}},{"client":"11-2"}]"#
        #expect(
            reply(.presence(room, members: 2, clients: clients))
                == data(#"{"room":"lobby","members":2,"clients":\#(list)}"#))
        #expect(reply(.presence(room, members: 2, clients: nil)) == data(#"{"room":"lobby","members":2}"#))
        let entry = HistoryEntry(offset: 42, time: 5, subject: Self.client, data: Array("1".utf8))
        #expect(
            reply(.history(HistoryPage(room: room, position: Self.position, entries: [entry, entry], hasMore: true)))
                == data(
                    #"{"room":"lobby","epoch":"3k9","offset":42,"messages":["#
                        + #"{"offset":42,"from":{"client":"11-2"},"time":5,"data":1},"#
                        + #"{"offset":42,"from":{"client":"11-2"},"time":5,"data":1}],"more":true}"#))

        var result = JoinResult(room: room)
        #expect(reply(.joined(result)) == data(#"{"room":"lobby","members":0}"#))
        result.members = 1
        result.position = Self.position
        result.presence = Array(clients.suffix(1))
        result.recovery = .recovered
        #expect(
            reply(.joined(result))
                == data(
                    #"{"room":"lobby","epoch":"3k9","offset":42,"recovered":true,"members":1,"presence":[{"client":"11-2"}]}"#
                ))
        result.presence = nil
        result.recovery = .failed(.epochChanged)
        #expect(
            reply(.joined(result))
                == data(
                    #"{"room":"lobby","epoch":"3k9","offset":42,"recovered":false,"reason":"epoch_changed","members":1}"#
                ))
    }

    @Test func refusals() {
        let limited = ClientRefusal(.rateLimited, retryAfter: .milliseconds(400))
        #expect(
            written { V1Dialect.writeRefusal(limited, request: RequestID(json: "2"), into: &$0) }
                == #"{"type":"reply","requestId":2,"error":{"code":"rate_limited","message":"Rate limit exceeded","#
                + #""temporary":true,"retryAfter":400}}"#)
        let refused = ClientRefusal(.refused, message: "Not \"here\"")
        #expect(
            written { V1Dialect.writeRefusal(refused, request: nil, into: &$0) }
                == #"{"type":"error","error":{"code":"refused","message":"Not \"here\"","temporary":false}}"#)
        for code in ClientErrorCode.allCases {
            #expect(
                written { V1Dialect.writeRefusal(ClientRefusal(code), request: nil, into: &$0) }.contains(code.words))
        }
    }

    @Test func notices() {
        let room = RoomName("lobby")
        #expect(
            written { V1Dialect.writeJoined(room, position: Self.position, into: &$0) }
                == #"{"type":"joined","room":"lobby","epoch":"3k9","offset":42}"#)
        #expect(written { V1Dialect.writeLeft(room, into: &$0) } == #"{"type":"left","room":"lobby"}"#)
        #expect(
            written { V1Dialect.writeExpiring(.milliseconds(29_001), into: &$0) }
                == #"{"type":"expiring","expiresIn":30}"#)
        #expect(
            written { V1Dialect.writeReconnect(after: .milliseconds(1200), code: .serviceRestart, into: &$0) }
                == #"{"type":"reconnect","after":1200,"code":1012}"#)
        #expect(
            written { V1Dialect.writeGap(room, reason: .expired, into: &$0) }
                == #"{"type":"gap","room":"lobby","reason":"expired"}"#)
    }

    @Test func numbersOfAnySizeAreWritten() {
        for value in [UInt64.min, 9, 10, 99, 1_234_567_890, .max] {
            #expect(written { JSONWriter.writeNumber(value, into: &$0) } == "\(value)")
        }
        for value in [Int64.min, -10, -1, 0, 7, .max] {
            #expect(written { JSONWriter.writeNumber(value, into: &$0) } == "\(value)")
        }
        for value in [UInt64.min, 31, 32, .max] {
            #expect(written { JSONWriter.writeBase32(value, into: &$0) } == "\"\(SessionID(rawValue: value))\"")
        }
    }
}
