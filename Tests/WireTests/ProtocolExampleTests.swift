import Foundation
import Model
import NIOCore
import Testing
import Wire

/// The examples of `docs/protocol.md` against the codecs.
struct ProtocolExampleTests {
    private static let client = ClientID("3v8k1p0q5m2xz-1")!
    private static let other = ClientID("3v8k1p0q5m2xz-2")!
    private static let time: Int64 = 1_763_717_000_000
    private static let hi = ByteBuffer(string: #"{"text":"hi"}"#)

    private func page() throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent("docs/protocol.md"), encoding: .utf8)
    }

    /// What stands between backquotes and is an object, between two headings.
    private func examples(from start: String, to end: String) throws -> [String] {
        let page = try page()
        let first = try #require(page.range(of: start)), last = try #require(page.range(of: end))
        return page[first.upperBound..<last.lowerBound].split(separator: "`").map { String($0) }
            .filter { $0.hasPrefix(#"{"type""#) }
    }

    @Test func commandsOfThePageAreUnderstood() throws {
        let simple = try examples(from: "### From the client\n", to: "### From the server")
        #expect(simple.count >= 6)
        for example in simple {
            let message = try SimpleDialect.decode(ByteBuffer(string: example), maxRoomLength: 256).get()
            if case .call(let type, _) = message.command { #expect(type == "price") }
        }
        let envelopes = try examples(from: "## wsd.v1.json\n", to: "### Replies")
        #expect(envelopes.count >= 14)
        for example in envelopes {
            var commands: [ClientCommand] = []
            V1Dialect.decode(ByteBuffer(string: example), maxRoomLength: 256) {
                if case .success(let message) = $0 { commands.append(message.command) }
            }
            #expect(commands.count == 1, "\(example)")
            if case .call(let type, _)? = commands.first { #expect(type == "price") }
        }
    }

    @Test func eventsAreAsThePageShowsThem() throws {
        let page = try page()
        func shows(_ write: (inout ByteBuffer) -> Void) {
            var buffer = ByteBuffer()
            write(&buffer)
            let text = String(buffer: buffer)
            #expect(page.contains("`\(text)`") || page.contains("\n\(text)\n"), "\(text)")
        }
        func delivery(
            _ kind: HubDeliveryKind, _ subject: ClientID, user: String?, _ payload: ByteBuffer = ByteBuffer(),
            _ change: (inout HubDelivery) -> Void = { _ in }
        ) {
            var delivery = HubDelivery(
                origin: subject.boot, sequence: 1, kind: kind, subject: subject, room: RoomName("lobby"))
            delivery.user = user.map { UserName($0) }
            delivery.time = Self.time
            change(&delivery)
            shows {
                V1Dialect.writeDelivery(
                    delivery, payload: payload.readableBytesView, typingTimeout: .seconds(6), into: &$0)
            }
        }
        let position = RoomPosition(epoch: RoomEpoch("3k9")!, offset: 42)
        delivery(.message, Self.client, user: "ada", Self.hi) { delivery in
            delivery.position = position
            delivery.messageID = MessageID("c1-17")
        }
        delivery(.broadcast, Self.client, user: nil, Self.hi)
        delivery(.direct, Self.client, user: "bob", Self.hi) { $0.messageID = MessageID("c1-18") }
        delivery(.userJoined, Self.other, user: "ada", ByteBuffer(string: #"{"name":"Ada"}"#))
        delivery(.userLeft, Self.other, user: "ada")
        delivery(.typingStarted, Self.other, user: "ada")
        delivery(.typingStopped, Self.other, user: "ada")
        delivery(.read, Self.other, user: "ada") { $0.offset = 41 }
        let end = RoomPosition(epoch: position.epoch, offset: 45)
        shows { V1Dialect.writeJoined(RoomName("lobby"), position: end, into: &$0) }
        shows { V1Dialect.writeLeft(RoomName("lobby"), into: &$0) }
        shows { V1Dialect.writeExpiring(.seconds(30), into: &$0) }
        shows { V1Dialect.writeReconnect(after: .milliseconds(1200), code: .serviceRestart, into: &$0) }
        shows { V1Dialect.writeGap(RoomName("lobby"), reason: .expired, into: &$0) }
        shows { V1Dialect.writeRefusal(ClientRefusal(.invalidRoom), request: nil, into: &$0) }
        let three = RequestID(json: "3")
        let limited = ClientRefusal(.rateLimited, retryAfter: .milliseconds(400))
        shows { V1Dialect.writeRefusal(limited, request: three, into: &$0) }
        shows {
            V1Dialect.writeReply(
                three, .published(RoomName("lobby"), position: position, isRepetition: false), into: &$0)
        }
        let client = ClientID("3v8k1p0q5m2xz-1")!
        shows { SimpleDialect.writeConnected(client, into: &$0) }
        shows {
            SimpleDialect.writePresence(joined: true, client: Self.other, user: nil, room: RoomName("lobby"), into: &$0)
        }
        shows { SimpleDialect.writeAnswer(RequestID(json: "7"), room: RoomName("lobby"), into: &$0) }
        shows { SimpleDialect.writeRefusal(limited, request: nil, into: &$0) }
    }

    @Test func repliesAreAsThePageShowsThem() throws {
        let page = try page()
        func shows(_ data: V1ReplyData) {
            var buffer = ByteBuffer()
            V1Dialect.writeReply(RequestID(json: "1"), data, into: &buffer)
            let text = String(buffer: buffer).dropFirst(#"{"type":"reply","requestId":1,"data":"#.utf8.count).dropLast()
            #expect(page.contains("`\(text)`"), "\(text)")
        }
        let lobby = RoomName("lobby"), ada = UserName("ada"), epoch = RoomEpoch("3k9")!
        let present = [PresenceEntry(client: Self.client, user: ada, info: #"{"name":"Ada"}"#)]
        shows(.authenticated(user: ada, expiresIn: .seconds(3600)))
        var result = JoinResult(room: lobby)
        result.members = 12
        shows(.joined(result))
        result.position = RoomPosition(epoch: epoch, offset: 45)
        result.recovery = .recovered
        result.presence = present
        shows(.joined(result))
        result.position = RoomPosition(epoch: RoomEpoch("7qz")!, offset: 3)
        result.recovery = .failed(.epochChanged)
        result.presence = nil
        shows(.joined(result))
        shows(.room(lobby))
        let position = RoomPosition(epoch: epoch, offset: 42)
        shows(.published(lobby, position: position, isRepetition: false))
        shows(.published(lobby, position: position, isRepetition: true))
        shows(.sent(ada))
        shows(.broadcast)
        let entry = HistoryEntry(
            offset: 42, time: Self.time, subject: Self.client, user: ada, messageID: MessageID("c1-17"),
            data: Array(Self.hi.readableBytesView))
        shows(
            .history(
                HistoryPage(
                    room: lobby, position: RoomPosition(epoch: epoch, offset: 45), entries: [entry], hasMore: true)))
        shows(.presence(lobby, members: 1, clients: present))
        shows(.presence(lobby, members: 12, clients: nil))
        shows(.time(Self.time))
    }
}
