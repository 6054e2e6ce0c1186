import Model
import NIOCore
import Testing

@testable import Webhooks

@Suite struct WebhookPartsTests {
    func body(_ call: WebhookCall) -> String { String(buffer: WebhookBody.encode(call)) }

    func read(_ text: String, _ kind: WebhookKind = .connect, status: Int = 200) -> WebhookReply {
        WebhookReply(kind, status: status, body: ByteBuffer(string: text))
    }

    @Test func aConnectTellsWhatIsKnown() {
        var connect = WebhookConnect(
            client: ClientID(boot: BootID(rawValue: 1), serial: 2), dialect: "simple", address: "192.0.2.1", path: "/ws"
        )
        #expect(
            body(.connect(connect))
                == #"{"event":"connect","client":"1-2","dialect":"simple","address":"192.0.2.1","path":"/ws"}"#)
        connect.user = UserName("ada")
        connect.query = "a=1"
        connect.origin = "https://a.example"
        connect.userAgent = "Say \"hi\"\u{1}"
        connect.cookie = "s=1"
        connect.authorization = "Bearer x"
        connect.token = "t"
        #expect(
            body(.connect(connect))
                == #"{"event":"connect","client":"1-2","user":"ada","dialect":"simple","address":"192.0.2.1","#
                + #""path":"/ws","query":"a=1","origin":"https://a.example","userAgent":"Say \"hi\"\u0001","#
                + #""token":"t","headers":{"cookie":"s=1","authorization":"Bearer x"}}"#)
        connect.cookie = nil
        #expect(body(.connect(connect)).hasSuffix(#""headers":{"authorization":"Bearer x"}}"#))
    }

    @Test func dataIsPassedOnByteForByte() {
        let client = ClientID(boot: BootID(rawValue: 1), serial: 2)
        let data = ByteBuffer(string: #"{ "a" : [1,  2] }"#)
        #expect(
            body(.publish(client: client, user: nil, room: RoomName("r"), messageID: MessageID("m"), data: data))
                == #"{"event":"publish","client":"1-2","room":"r","messageId":"m","data":{ "a" : [1,  2] }}"#)
        #expect(
            body(.rpc(client: client, user: nil, type: "t", data: ByteBuffer()))
                == #"{"event":"rpc","client":"1-2","type":"t"}"#)
        guard case .answered(let answer) = read(#" {"data" : { "b" : 2.0 } , "data":[ 3 ]} "#, .publish) else {
            Issue.record("not answered")
            return
        }
        #expect(answer.data == ByteBuffer(string: "[ 3 ]"))
    }

    @Test func readsWhoTheClientIs() {
        var answer = WebhookAnswer()
        answer.user = UserName("ada")
        answer.info = #"{"n" :1}"#
        answer.rooms = [RoomName("a")]
        answer.grants = [RoomGrant(rooms: "a:*", allow: [.history])]
        answer.expiresAt = 2000
        answer.data = ByteBuffer(string: "null")
        let text =
            #"{"user":"ada","info":{"n" :1},"rooms":["a"],"rights":[{"rooms":"a:*","allow":["history"]}],"#
            + #""expiresAt":2000,"data":null,"more":1}"#
        #expect(read(text) == .answered(answer))
        #expect(
            read(#"{"user":null,"info":null,"rooms":null,"rights":null,"expiresAt":null,"error":null}"#)
                == .answered(WebhookAnswer()))
        #expect(read("") == .answered(WebhookAnswer()))
        #expect(read("", status: 204) == .answered(WebhookAnswer()))
        // Another hook's members are nobody's matter.
        #expect(read(#"{"user":7}"#, .join) == .answered(WebhookAnswer()))
    }

    @Test(arguments: [
        #"{"user":""}"#, #"{"user":7}"#, #"{"rooms":[7]}"#, #"{"rights":[{}]}"#, #"{"expiresAt":"x"}"#,
        #"{"expiresAt":1e999}"#, #"{"user":"a"#,
    ])
    func refusesAnswers(_ text: String) {
        guard case .unusable = read(text) else {
            Issue.record("taken: \(text)")
            return
        }
    }

    @Test func answersAreUTF8() {
        var bytes = ByteBuffer(string: #"{"data":""#)
        bytes.writeBytes([0xFF])
        bytes.writeString("\"}")
        #expect(WebhookReply(.rpc, status: 200, body: bytes) == .unusable("no UTF-8"))
    }

    @Test(
        arguments: [
            (#"{"error":{}}"#, nil, nil), (#"{"error":"no"}"#, "no", nil), (#"{"error":true}"#, nil, nil),
            (#"{"error":{"message":"no","code":1000}}"#, "no", nil), (#"{"error":{"code":4999.0}}"#, nil, 4999),
            (#"{"error":{"code":4999.5}}"#, nil, nil), (#"{"error":{"code":1e300}}"#, nil, nil),
            (#"{"error":{"message":7}}"#, nil, nil), (#"{"user":7,"error":{"message":"no"}}"#, "no", nil),
        ] as [(String, String?, UInt16?)])
    func readsRefusals(_ text: String, _ message: String?, _ code: UInt16?) {
        #expect(read(text) == .refused(message: message, code: code.map { CloseCode(rawValue: $0) }))
    }

    @Test func aQueueHasPlaceForSoManyAndMayHoldSoMany() {
        var hook = WebhookConfiguration(onFailure: .refuse)
        hook.concurrency = 2
        hook.queue = 1
        var queue = WebhookQueue<Int>(hook)
        #expect([1, 2, 3, 4].map { queue.enter($0) } == [.start, .start, .wait, .full])
        #expect(queue.ended() == 3)
        #expect(queue.ended() == nil && queue.running == 1)
        #expect(queue.enter(5) == .start && queue.enter(6) == .wait)
        #expect(queue.drain() == [6] && queue.waiting == 0)
    }

    @Test func waitsLongerEachTime() {
        #expect((1...4).map { WebhookBackoff.delay(retry: $0, random: 0).milliseconds } == [100, 200, 400, 800])
        #expect(WebhookBackoff.delay(retry: 1, random: 0.999).milliseconds == 50)
        #expect(WebhookBackoff.delay(retry: 20, random: 0) == WebhookBackoff.longest)
        #expect(WebhookBackoff.delay(retry: .max, random: 0) == WebhookBackoff.longest)
    }
}
