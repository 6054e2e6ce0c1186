import Model
import NIOCore
import Realtime
import Webhooks
import Wire

/// Commands that the application decides on, or answers. The connection takes no further one meanwhile.
extension WorkerEngine {
    /// Asks the application; `granted` is called if it agrees, or if it does not answer and that counts as yes.
    func ask(
        _ call: WebhookCall, request: RequestID?, for connection: ConnectionHandler,
        granted: @escaping (WebhookAnswer) -> Void
    ) {
        let number = beginCall(connection)
        let maxData = configuration.maxMessageData
        application.ask(call) { [weak self, weak connection] outcome in
            guard let self, let connection, goesOn(connection, number) else { return }
            if trace.isActive { traceWebhook(call, outcome, connection) }
            switch outcome {
            case .answered(let answer) where answer.data.map({ $0.readableBytes > maxData }) ?? false:
                refuse(ClientRefusal(.backendFailed), request: request, to: connection)
            case .answered(let answer): granted(answer)
            case .failed(.allow): granted(WebhookAnswer())
            case .failed(.refuse):
                refuse(ClientRefusal(.backendFailed), request: request, to: connection)
            case .refused(let message, _):
                refuse(ClientRefusal(.refused, message: message), request: request, to: connection)
            }
            connection.goOn()
        }
    }

    /// A type that is none of the dialect's: the application answers it, if it is there for that.
    func call(
        _ type: String, data: ByteBuffer, timeout: Duration?, request: RequestID?, from connection: ConnectionHandler
    ) {
        guard let request, application.hooks.contains(.rpc) else {
            return refuse(ClientRefusal(.unknownType), request: request, to: connection)
        }
        let number = beginCall(connection)
        let call = WebhookCall.rpc(
            client: connection.core.session.id, user: connection.core.session.user, type: type,
            data: ByteBuffer(bytes: data.readableBytesView))
        application.ask(call) { [weak self, weak connection] outcome in
            guard let self, let connection, goesOn(connection, number) else { return }
            if trace.isActive { traceWebhook(call, outcome, connection) }
            answer(outcome, request, to: connection)
            connection.goOn()
        }
        guard let timeout else { return }
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(min(timeout, V1Dialect.maxTimeout))) {
            [weak self, weak connection] in
            guard let self, let connection, goesOn(connection, number) else { return }
            refuse(ClientRefusal(.timeout), request: request, to: connection)
            connection.goOn()
        }
    }

    private func answer(_ outcome: WebhookOutcome, _ request: RequestID, to connection: ConnectionHandler) {
        switch outcome {
        case .answered(let answer):
            let text = answer.data.map { JSONText(unchecked: $0.readableBytesView) }
            connection.send { $0.sendReply(request, .json(text ?? .null)) }
        case .failed(.allow):
            connection.send { $0.sendReply(request, .json(.null)) }
        case .failed(.refuse):
            refuse(ClientRefusal(.backendFailed), request: request, to: connection)
        case .refused(let message, _):
            refuse(ClientRefusal(.refused, message: message), request: request, to: connection)
        }
    }

    /// Suspends a connection for the call of this number.
    private func beginCall(_ connection: ConnectionHandler) -> UInt64 {
        let number = nextWebhookCall
        nextWebhookCall += 1
        connection.suspend(.webhook(number))
        return number
    }

    /// Ends the waiting for a call; `false`: nobody waits for that one any more.
    private func goesOn(_ connection: ConnectionHandler, _ number: UInt64) -> Bool {
        guard case .webhook(number) = connection.wait, connection.context != nil else { return false }
        turnBegan()
        connection.endWait()
        return true
    }
}

extension JSONText {
    fileprivate static let null = JSONText(unchecked: Array("null".utf8))
}
