import Model
import Realtime
import Testing

struct WorkerRealtimeTests {
    private typealias Worker = WorkerRealtime<Int, HubOperation>

    private func worker(heldBytes: Int = 1 << 20) -> WorkerRealtime<Int, HubOperation> {
        Worker(
            boot: BootID(rawValue: 1),
            limits: .init(roomsPerClient: 2, heldBytes: heldBytes, requestTimeout: .seconds(5)))
    }

    private func execute(
        _ command: ClientCommand, on worker: inout WorkerRealtime<Int, HubOperation>, request: String? = nil,
        client: UInt64 = 1,
        bytes: Int = 0
    ) -> CommandOutcome {
        worker.execute(
            command, client: client, member: Int(client), request: request.map { RequestID(json: $0) },
            payloadBytes: bytes,
            now: .zero, encode: { ($0, bytes + 30) })
    }

    private func unsent(_ worker: inout WorkerRealtime<Int, HubOperation>) -> [HubOperationKind] {
        var kinds: [HubOperationKind] = []
        worker.takeUnsent { kinds.append($0.kind) }
        return kinds
    }

    private func expire(_ worker: inout WorkerRealtime<Int, HubOperation>, at seconds: Int) -> [String?] {
        var told: [String?] = []
        worker.expire(now: .zero + .seconds(seconds)) { told.append($0.id?.json) }
        return told
    }

    @Test func membershipIsLocalAtOnceAndBounded() {
        var worker = worker()
        #expect(execute(.join(RoomName("a")), on: &worker) == .accepted)
        #expect(execute(.join(RoomName("a")), on: &worker) == .done)
        #expect(execute(.join(RoomName("b")), on: &worker) == .accepted)
        #expect(execute(.join(RoomName("c")), on: &worker) == .refused(.tooManyRooms))
        #expect(worker.rooms.members(of: RoomName("a")) == [1])
        #expect(execute(.leave(RoomName("c")), on: &worker) == .done)
        #expect(execute(.leave(RoomName("a")), on: &worker) == .accepted)
        #expect(worker.rooms.members(of: RoomName("a")) == [])
    }

    @Test func nothingIsSentWithoutALink() {
        var worker = worker()
        _ = execute(.join(RoomName("a")), on: &worker)
        _ = execute(.broadcast, on: &worker)
        #expect(!worker.hasUnsent)
        #expect(unsent(&worker) == [])
        #expect(worker.beginLink() == 2)
        #expect(worker.hasUnsent)
        #expect(unsent(&worker) == [.join, .broadcast])
        #expect(!worker.isUp)
        #expect(worker.welcomed(isLate: true) == false)
        #expect(worker.isUp)
        worker.linkLost()
        #expect(worker.beginLink() == 2)
        #expect(unsent(&worker) == [.join, .broadcast])
        #expect(worker.welcomed(isLate: false) == false)
        worker.linkLost()
        _ = worker.beginLink()
        #expect(worker.welcomed(isLate: true) == true)
    }

    @Test func answersComeWithTheAcknowledgement() {
        var worker = worker()
        _ = worker.beginLink()
        _ = execute(.join(RoomName("a")), on: &worker, request: "1")
        _ = execute(.send(RoomName("a")), on: &worker)
        _ = execute(.send(RoomName("a")), on: &worker, request: "\"x\"")
        _ = unsent(&worker)
        var answered: [PendingRequest] = []
        worker.acknowledge(acknowledged: 3, settled: 3) { answered.append($0) }
        #expect(answered.map(\.id?.json) == ["1", "\"x\""])
        #expect(answered.first?.command == .join(RoomName("a")))
        #expect(worker.heldCount == 0)
        #expect(worker.heldBytes == 0)
    }

    @Test func repeatedJoinIsAnsweredOnlyOnceTheFirstIsInForce() {
        var worker = worker()
        _ = worker.beginLink()
        _ = worker.welcomed(isLate: false)
        _ = execute(.join(RoomName("a")), on: &worker)
        #expect(execute(.join(RoomName("a")), on: &worker, request: "2") == .accepted)
        #expect(unsent(&worker) == [.join, .confirm])
        worker.acknowledge(acknowledged: 2, settled: 2) { _ in }
        #expect(execute(.join(RoomName("a")), on: &worker, request: "3") == .done)
        #expect(execute(.leave(RoomName("z")), on: &worker, request: "4") == .done)
    }

    @Test func withoutAHubEveryoneIsToldInTime() {
        var worker = worker()
        _ = execute(.join(RoomName("a")), on: &worker)
        _ = execute(.send(RoomName("a")), on: &worker, request: "1")
        _ = execute(.send(RoomName("a")), on: &worker)
        _ = execute(.leave(RoomName("a")), on: &worker)
        #expect(expire(&worker, at: 4) == [])
        #expect(worker.nextDeadline == MonotonicTime.zero + .seconds(5))
        #expect(expire(&worker, at: 5) == [nil, "1", nil])
        #expect(worker.nextDeadline == nil)
        _ = worker.beginLink()
        #expect(unsent(&worker) == [.join, .leave])
    }

    @Test func sentPublicationIsReplayedThoughItsRequestRanOut() {
        var worker = worker()
        _ = worker.beginLink()
        _ = execute(.send(RoomName("a")), on: &worker, request: "1")
        _ = execute(.send(RoomName("a")), on: &worker)
        _ = unsent(&worker)
        worker.linkLost()
        #expect(expire(&worker, at: 9) == ["1"])
        _ = worker.beginLink()
        #expect(unsent(&worker) == [.publish, .publish])
        var answered = 0
        worker.acknowledge(acknowledged: 2, settled: 2) { _ in answered += 1 }
        #expect(answered == 0)
    }

    @Test func aboveTheBoundNewOperationsAreRefusedButNobodyIsKeptInARoom() {
        var worker = worker(heldBytes: 1000)
        #expect(execute(.join(RoomName("a")), on: &worker) == .accepted)
        #expect(execute(.send(RoomName("a")), on: &worker, bytes: 700) == .accepted)
        #expect(execute(.send(RoomName("a")), on: &worker, bytes: 700) == .refused(.unavailable))
        #expect(execute(.send(RoomName("a")), on: &worker, bytes: 2000) == .refused(.unavailable))
        #expect(execute(.leave(RoomName("a")), on: &worker) == .accepted)
    }

    @Test func closedClientLeavesItsRooms() {
        var worker = worker()
        _ = execute(.join(RoomName("a")), on: &worker)
        _ = execute(.join(RoomName("b")), on: &worker)
        var left: Set<String> = []
        worker.clientClosed(1) {
            left.insert($0.room.text)
            #expect($0.kind == .leave)
            return ($0, 30)
        }
        #expect(left == ["a", "b"])
        #expect(worker.rooms.count == 0)
    }

    @Test func sessionsBoundTheirUnansweredRequests() {
        var session = ClientSession(id: ClientID(boot: BootID(rawValue: 1), serial: 1))
        for _ in 0..<ClientSession.maxUnanswered {
            #expect(session.received(bytes: 10, request: RequestID(json: "1")) == nil)
            session.requestAccepted()
        }
        #expect(session.received(bytes: 10, request: RequestID(json: "1")) == .tooManyRequests)
        #expect(session.received(bytes: 10, request: nil) == nil)
        session.requestAnswered()
        #expect(session.received(bytes: 10, request: RequestID(json: "1")) == nil)
        #expect(session.messagesIn == ClientSession.maxUnanswered + 3)
    }
}
