import NIOCore
import NIOHTTP1
import Testing
import WebSocketProtocol

@testable import Worker

@Suite struct HTTPConversationTests {
    private func head(_ fields: [(String, String)] = [], method: HTTPMethod = .GET) -> HTTPServerRequestPart {
        let headers = HTTPHeaders([("Host", "x")] + fields)
        return .head(HTTPRequestHead(version: .http1_1, method: method, uri: "/x", headers: headers))
    }

    private func name(_ action: HTTPConversation.Action) -> String {
        switch action {
        case .none: "none"
        case .awaitBody(let continues): continues ? "continue" : "awaitBody"
        case .answer(_, let body): "answer \(body.readableBytes)"
        case .refuse(let refusal): "refuse \(refusal.status)"
        case .handOver: "handOver"
        case .forward(_, let route): "forward \(route.path)"
        case .forwardBody(let piece): "forwardBody \(piece.readableBytes)"
        case .forwardEnd: "forwardEnd"
        case .abandon(let refusal): "abandon \(refusal.status)"
        case .close: "close"
        }
    }

    /// What each input leads to, from a fresh conversation.
    private func run(_ parts: [HTTPServerRequestPart]) -> (conversation: HTTPConversation, last: String) {
        var conversation = HTTPConversation()
        var last = ""
        for part in parts { last = name(conversation.received(part)) }
        return (conversation, last)
    }

    private func goesOn(_ conversation: inout HTTPConversation) -> Bool { conversation.answered() }

    private static let upgrade = [
        ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]

    @Test func oneRequestAfterTheOther() {
        var (conversation, last) = run([head(), .end(nil)])
        #expect(last == "answer 0")
        #expect(conversation.keepsAlive)
        #expect(goesOn(&conversation))
        #expect(name(conversation.received(head([("Connection", "close")]))) == "none")
        #expect(name(conversation.received(.end(nil))) == "answer 0")
        #expect(!conversation.keepsAlive)
        #expect(!goesOn(&conversation))
        #expect(name(conversation.received(head())) == "none")
    }

    @Test func bodiesAreBounded() {
        let piece = ByteBuffer(repeating: 1, count: HTTPLimits.maxBody / 2)
        let chunked = head([("Transfer-Encoding", "chunked")], method: .POST)
        #expect(run([chunked]).last == "awaitBody")
        #expect(run([chunked, .body(piece), .body(piece), .end(nil)]).last == "answer \(HTTPLimits.maxBody)")
        #expect(run([chunked, .body(piece), .body(piece), .body(ByteBuffer(bytes: [1]))]).last == "refuse 413")
        #expect(run([head([("Content-Length", "\(HTTPLimits.maxBody + 1)")])]).last == "refuse 413")
        #expect(run([head([("Content-Length", "99999999999999999999999")])]).last == "refuse 413")
        #expect(run([head([("Content-Length", "5"), ("Expect", "100-Continue")])]).last == "continue")
    }

    @Test func upgradesAreHandedOver() {
        #expect(run([head(Self.upgrade), .end(nil)]).last == "handOver")
        #expect(run([head(Array(Self.upgrade.dropLast())), .end(nil)]).last == "handOver")
        #expect(run([head(Self.upgrade + [("Content-Length", "1")])]).last == "refuse 400")
        #expect(run([head(Self.upgrade), .end(nil), head()]).last == "none")
        let (other, last) = run([head([("Upgrade", "h2c"), ("Connection", "Upgrade")]), .end(nil)])
        #expect(last == "answer 0")
        #expect(!other.keepsAlive)
    }

    @Test func timeAndErrors() {
        var waiting = HTTPConversation()
        #expect(name(waiting.timedOut()) == "close")
        var receiving = run([head([("Content-Length", "5")])]).conversation
        #expect(name(receiving.timedOut()) == "refuse 408")
        #expect(name(receiving.timedOut()) == "close")
        var answering = run([head(), .end(nil)]).conversation
        #expect(name(answering.timedOut()) == "close")
        #expect(name(answering.failed(.bodyTooLarge)) == "close")
        var broken = HTTPConversation()
        #expect(name(broken.failed(HTTPRefusal(status: 400, sentence: "x"))) == "refuse 400")
        #expect(name(broken.failed(HTTPRefusal(status: 400, sentence: "x"))) == "none")
    }

    @Test func theClientsEndAndDraining() {
        var answering = run([head(), .end(nil)]).conversation
        #expect(name(answering.inputClosed()) == "none")
        #expect(!goesOn(&answering))
        var waiting = HTTPConversation()
        #expect(name(waiting.inputClosed()) == "close")
        var idle = HTTPConversation()
        #expect(name(idle.drain()) == "close")
        var busy = run([head(), .end(nil)]).conversation
        #expect(name(busy.drain()) == "none")
        #expect(!goesOn(&busy))
        var late = HTTPConversation(isDraining: true)
        #expect(name(late.received(head())) == "none")
        #expect(name(late.received(.end(nil))) == "answer 0")
        #expect(!late.keepsAlive)
    }
}
