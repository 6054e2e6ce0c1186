import Model
import NIOCore
import Realtime
import Wire

/// A call of the backend's API, taken apart for the machine, and its answer put together again.
struct BackendPlan {
    private let request: Result<BackendRequest, BackendError>
    /// Empty where the request cannot be carried out.
    let calls: [BackendCall]

    /// - Parameters:
    ///   - encoded: what `BackendRequest.encoded()` wrote.
    ///   - maxData: longest data of a message, bytes.
    init(_ encoded: ByteBuffer, maxData: Int) {
        self.init(BackendRequest.decode(encoded), maxData: maxData)
    }

    /// For calls whose results are not put together.
    init(_ calls: [BackendCall]) {
        request = .failure(.noAnswer)
        self.calls = calls
    }

    init(_ request: Result<BackendRequest, BackendError>, maxData: Int) {
        switch request {
        case .failure:
            self.request = request
            calls = []
        case .success(let wanted):
            let calls = Self.calls(wanted)
            if calls.contains(where: { ($0.data?.count ?? 0) > maxData }) {
                let error = BackendError(.tooLarge, "The data of a message is longer than \(maxData) bytes")
                self.request = .failure(error)
                self.calls = []
            } else {
                self.request = request
                self.calls = calls
            }
        }
    }

    /// `results`: one for each of ``calls``. `workers`: how many are linked.
    func response(_ results: [BackendResult], workers: Int) -> BackendResponse {
        switch request {
        case .failure(let error): return .failure(error)
        case .success(let request):
            var rest = results[...]
            return Self.response(request, &rest, workers)
        }
    }

    private static func calls(_ request: BackendRequest) -> [BackendCall] {
        func publish(_ room: RoomName, _ message: BackendMessage) -> BackendCall {
            .publish(room, data: message.data.bytes, messageID: message.messageID, user: message.sender)
        }
        switch request {
        case .publish(let room, let message): return [publish(room, message)]
        case .publishMany(let rooms, let message): return rooms.map { publish($0, message) }
        case .broadcast(let message): return [.broadcast(data: message.data.bytes, user: message.sender)]
        case .sendToUser(let user, let message):
            return [.direct(user, data: message.data.bytes, messageID: message.messageID, from: message.sender)]
        case .presence(let room): return [.presence(room, countOnly: false)]
        case .presenceCount(let room): return [.presence(room, countOnly: true)]
        case .history(let room, let query): return [.history(room, query)]
        case .removeHistory(let room): return [.removeHistory(room)]
        case .disconnectUser(let user, let close): return [.disconnectUser(user, close.code, reason: close.reason)]
        case .disconnectClient(let client, let close):
            return [.disconnectClient(client, close.code, reason: close.reason)]
        case .subscribe(let user, let room): return [.subscribe(user, room)]
        case .unsubscribe(let user, let room): return [.unsubscribe(user, room)]
        case .rooms(let prefix, let limit): return [.rooms(prefix: prefix, limit: limit)]
        case .info: return [.info]
        case .batch(let requests): return requests.flatMap { calls($0) }
        }
    }

    private static func response(
        _ request: BackendRequest, _ results: inout ArraySlice<BackendResult>, _ workers: Int
    ) -> BackendResponse {
        switch request {
        case .batch(let requests): return .batch(requests.map { response($0, &results, workers) })
        case .publishMany(let rooms, _):
            return .publishedMany(
                rooms.map { room in
                    switch publication(room, results.popFirst()) {
                    case .success(let publication): publication
                    case .failure(let error): BackendPublication(room: room, failure: error)
                    }
                })
        case .publish(let room, _):
            switch publication(room, results.popFirst()) {
            case .success(let publication): return .published(publication)
            case .failure(let error): return .failure(error)
            }
        case .presence(let room), .presenceCount(let room), .history(let room, _), .removeHistory(let room):
            return response(about: room, results.popFirst(), workers)
        case .broadcast, .sendToUser, .disconnectUser, .disconnectClient, .subscribe, .unsubscribe, .rooms, .info:
            return response(about: RoomName(""), results.popFirst(), workers)
        }
    }

    private static func publication(
        _ room: RoomName, _ result: BackendResult?
    ) -> Result<BackendPublication, BackendError> {
        switch result {
        case .published(let position, let isRepetition, _):
            .success(BackendPublication(room: room, position: position, isRepetition: isRepetition))
        case .refused(let refusal): .failure(BackendError(refusal))
        case nil, .connections, .presence, .history, .historyRemoved, .rooms, .user, .info: .failure(.noAnswer)
        }
    }

    private static func response(
        about room: RoomName, _ result: BackendResult?, _ workers: Int
    ) -> BackendResponse {
        switch result {
        case .connections(let count): .clients(count)
        case .presence(let members, let clients?): .presence(room, members: members, clients: clients)
        case .presence(let members, nil): .presenceCount(room, members: members)
        case .history(let page): .history(page)
        case .historyRemoved(let count): .historyRemoved(room, count: count)
        case .rooms(let rooms, let hasMore):
            .rooms(
                rooms.map { BackendRoom(room: $0.name, members: $0.members, position: $0.position) }, hasMore: hasMore)
        case .info(let figures): .info(BackendInfo(figures, workers: workers))
        case .refused(let refusal): .failure(BackendError(refusal))
        case nil, .published, .user: .failure(.noAnswer)
        }
    }
}

extension BackendCall {
    /// Of a message.
    fileprivate var data: [UInt8]? {
        switch self {
        case .publish(_, let data, _, _), .broadcast(let data, _), .direct(_, let data, _, _): data
        case .presence, .history, .removeHistory, .rooms, .disconnectUser, .disconnectClient, .subscribe, .unsubscribe,
            .user, .info:
            nil
        }
    }
}

extension BackendError {
    fileprivate static let noAnswer = BackendError(.unavailable, "The hub has no answer to this; try again")

    fileprivate init(_ refusal: ClientRefusal) {
        let code: BackendErrorCode =
            switch refusal.code {
            case .noHistory: .noHistory
            case .storageFailed: .storageFailed
            default: .unavailable
            }
        self.init(code, refusal.words)
    }
}

extension BackendInfo {
    fileprivate init(_ figures: HubFigures, workers: Int) {
        self.init()
        self.workers = workers
        clients = figures.clients
        users = figures.users
        rooms = figures.rooms
        historyRooms = figures.historyRooms
        historyMessages = figures.historyMessages
        historyBytes = figures.historyBytes
    }
}
