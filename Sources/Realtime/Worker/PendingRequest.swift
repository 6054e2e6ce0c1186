package import Model

/// What waits for the hub's word on one operation.
package struct PendingRequest: Hashable, Sendable {
    /// What the operation was for.
    package enum Purpose: Hashable, Sendable {
        /// A client asked.
        case command(ClientCommand)
        /// The backend, or a token's `rooms`, made the client a member: it has not asked, and is to be told.
        case subscription(RoomName, JoinOptions)
        /// A further page of what a joining client missed; its command has been answered with the first one.
        case continuation(RoomName, JoinOptions)
        /// A connection was accepted.
        case connect
        /// A connection became someone.
        case identify
        /// A call of the backend's HTTP API; the driver's own number of it.
        case backend(ticket: UInt64)
    }

    /// 0: none.
    package var client: UInt64
    /// `nil`: the client did not ask for an answer.
    package var id: RequestID?
    package var purpose: Purpose
    /// The acknowledgement alone does not say how it went.
    package var wantsReply: Bool

    package init(client: UInt64, id: RequestID?, purpose: Purpose, wantsReply: Bool = false) {
        self.client = client
        self.id = id
        self.purpose = purpose
        self.wantsReply = wantsReply
    }

    /// The client's command, if it is one's.
    package var command: ClientCommand? {
        if case .command(let command) = purpose { command } else { nil }
    }

    package var room: RoomName? {
        switch purpose {
        case .command(let command): command.room
        case .subscription(let room, _), .continuation(let room, _): room
        case .connect, .identify, .backend: nil
        }
    }

    /// The room and the options of a join, whoever asked for it.
    package var join: (room: RoomName, options: JoinOptions)? {
        switch purpose {
        case .command(.join(let room, let options)), .subscription(let room, let options),
            .continuation(let room, let options):
            (room, options)
        case .command, .connect, .identify, .backend: nil
        }
    }
}

/// What becomes of a client's command.
package enum CommandOutcome: Hashable, Sendable {
    /// Given to the hub. The answer, if one is asked for, comes by ``WorkerRealtime/replied(sequence:_:now:encode:)``,
    /// ``WorkerRealtime/acknowledge(acknowledged:settled:now:encode:answer:)`` or
    /// ``WorkerRealtime/expire(now:encode:tell:)``, whichever is first.
    case accepted
    /// It was so already, or nobody needs it: answer success now, if an answer is asked for.
    case done
    /// Tell the client why not.
    case refused(ClientRefusal)

    package static func refused(_ code: ClientErrorCode) -> Self { .refused(ClientRefusal(code)) }
}

/// The hub's reply to a request that still waits for it, and what it means for the client's membership.
package struct HubAnswer: Hashable, Sendable {
    package enum Membership: Hashable, Sendable {
        /// Not about one, or it is as before (a member asked again without `since`).
        case unchanged
        /// The client is a member from now on: give it the answer, then ``JoinResult/missed``, before any delivery.
        case began
        /// Give it the answer (the first time) and ``JoinResult/missed``; when it has read them, call
        /// ``WorkerRealtime/continueJoin(_:room:from:now:encode:)`` with this position. It gets nothing else of the room
        /// until then.
        case partial(RoomPosition)
        /// It left, or asked anew, meanwhile: the answer is a success that brings no messages.
        case withdrawn
        /// It is no member (any more).
        case ended
    }

    package var request: PendingRequest
    package var reply: HubReply
    package var membership: Membership
}

/// Whom a delivery is for.
package struct Receivers<Member> {
    /// Empty where ``isEveryone``.
    package var members: [Member]
    /// Every client of the worker.
    package var isEveryone = false
    /// The serial of the client that does not get it; 0: none.
    package var excluded: UInt64
}
