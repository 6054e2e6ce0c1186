import Model
import NIOCore
import Realtime
import Wire

/// Calls of the backend's HTTP API that wait for the hub.
struct BackendCalls {
    /// At once; more are refused.
    static let maximum = 1024

    typealias Completion = (Result<[UInt8], ClientRefusal>) -> Void

    private var waiting: [UInt64: Completion] = [:]
    private var next: UInt64 = 1

    init() {}

    /// The ticket of a call; `nil`: there are too many.
    mutating func begin(_ completion: @escaping Completion) -> UInt64? {
        guard waiting.count < Self.maximum else { return nil }
        defer { next += 1 }
        waiting[next] = completion
        return next
    }

    mutating func end(_ ticket: UInt64) -> Completion? {
        waiting.removeValue(forKey: ticket)
    }
}

extension WorkerEngine {
    /// Asks the hub on behalf of the backend: a `BackendRequest` as JSON. `completion` gets a `BackendResponse` as JSON, or
    /// why there is none; on the event loop, exactly once, perhaps from within this call.
    func callBackend(_ request: ByteBuffer, completion: @escaping BackendCalls.Completion) {
        turnBegan()
        guard let ticket = backendCalls.begin(completion) else {
            return completion(.failure(ClientRefusal(.unavailable)))
        }
        let isTaken = realtime.callBackend(
            ticket: ticket, payloadBytes: request.readableBytes, now: turnTime
        ) { Self.encode($0, data: request) }
        guard isTaken else {
            backendCalls.end(ticket)?(.failure(ClientRefusal(.unavailable)))
            return
        }
        hubLink?.markIfDue()
    }
}
