import Foundation
import Model
import NIOCore
import Testing
import Wire

struct BackendResponseTests {
    private static let room = RoomName("lobby")
    private static let position = RoomPosition(epoch: RoomEpoch("3k9")!, offset: 42)
    private static let failure = BackendError(.storageFailed, "The disk is \"full\"")

    private func text(_ response: BackendResponse) -> String { String(buffer: response.encoded()) }

    private static var responses: [(BackendResponse, String)] {
        let publication = BackendPublication(room: room, position: position, isRepetition: true)
        let plain = BackendPublication(room: room, position: nil, isRepetition: false)
        let published = #"{"room":"lobby","epoch":"3k9","offset":42,"duplicate":true}"#
        let error = #""error":{"code":"storage_failed","message":"The disk is \"full\""}"#
        let client = ClientID(boot: BootID(rawValue: 33), serial: 2)
        let entry = HistoryEntry(offset: 42, time: 5, subject: client, data: Array("1".utf8))
        var info = BackendInfo()
        info.workers = 2
        info.historyBytes = 9
        return [
            (.failure(failure), "{\(error)}"), (.published(publication), published),
            (
                .publishedMany([publication, plain, BackendPublication(room: room, failure: failure)]),
                #"{"replies":[\#(published),{"room":"lobby"},{"room":"lobby",\#(error)}]}"#
            ),
            (.clients(3), #"{"clients":3}"#),
            (
                .presence(
                    room, members: 1, clients: [PresenceEntry(client: client, user: UserName("ada"), info: "{}")]),
                #"{"room":"lobby","members":1,"clients":[{"client":"11-2","user":"ada","info":{}}]}"#
            ),
            (.presenceCount(room, members: 1), #"{"room":"lobby","members":1}"#),
            (
                .history(HistoryPage(room: room, position: position, entries: [entry], hasMore: false)),
                #"{"room":"lobby","epoch":"3k9","offset":42,"messages":["#
                    + #"{"offset":42,"from":{"client":"11-2"},"time":5,"data":1}],"more":false}"#
            ),
            (.historyRemoved(room, count: 7), #"{"room":"lobby","removed":7}"#),
            (
                .rooms(
                    [
                        BackendRoom(room: room, members: 2, position: position),
                        BackendRoom(room: RoomName("b"), members: 0, position: nil),
                    ], hasMore: true),
                #"{"rooms":[{"room":"lobby","members":2,"epoch":"3k9","offset":42},{"room":"b","members":0}],"more":true}"#
            ),
            (
                .info(info),
                #"{"version":"\#(WsdVersion.current)","workers":2,"clients":0,"users":0,"rooms":0,"historyRooms":0,"#
                    + #""historyMessages":0,"historyBytes":9}"#
            ),
            (.batch([.clients(1), .failure(failure)]), #"{"replies":[{"clients":1},{\#(error)}]}"#),
            (.batch([]), #"{"replies":[]}"#),
        ]
    }

    @Test func answersAreWrittenAsDocumented() {
        for (response, expected) in Self.responses {
            #expect(text(response) == expected)
            #expect(JSONText(checking: Array(expected.utf8)) != nil)
        }
    }

    @Test func answersOfAnotherProcessKeepTextAndStatus() throws {
        for (response, expected) in Self.responses {
            let passed = try JSONDecoder().decode(BackendResponse.self, from: JSONEncoder().encode(response))
            #expect(text(passed) == expected)
            #expect(BackendHTTP.encode(passed).status == BackendHTTP.encode(response).status)
            #expect(String(buffer: BackendHTTP.encode(passed).body) == expected)
        }
    }

    @Test func statuses() {
        #expect(BackendHTTP.encode(.clients(1)).status == 200)
        for code in [BackendErrorCode.invalidRequest, .unauthorized, .forbidden, .notFound, .tooLarge, .unavailable] {
            let status = BackendHTTP.encode(.failure(BackendError(code, "x"))).status
            #expect((400...599).contains(status))
        }
        // An error that this version does not know, and JSON whose `error` is none.
        #expect(BackendHTTP.encode(.encoded(JSONText(unchecked: #"{"error":{"code":"?"}}"#.utf8))).status == 500)
        #expect(BackendHTTP.encode(.encoded(JSONText(unchecked: #"{"error":1}"#.utf8))).status == 200)
        #expect(BackendHTTP.encode(.encoded(JSONText(unchecked: "[]".utf8))).status == 200)
    }
}
