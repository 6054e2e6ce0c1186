/// Who is at the other end of a control connection.
struct ControlPeer: Sendable, Equatable {
    var access: ControlAccess
    /// `nil`: the kernel did not say.
    var uid: UInt32?
}

/// How many control connections there are, and whose. Users who may not change anything get few of them, so that they cannot keep
/// out those who may.
struct ControlPlaces {
    enum Place: Sendable, Equatable {
        case full
        case other(uid: UInt32?)
        /// It is served a refusal only.
        case refused(ControlFailure)
        /// There is no place at all.
        case none

        var refusal: ControlFailure? {
            if case .refused(let failure) = self { failure } else { nil }
        }
    }

    private var full = 0
    private var others: [UInt32?: Int] = [:]
    private var otherCount = 0
    private var refused = 0

    mutating func take(for peer: ControlPeer) -> Place {
        let isFull = peer.access == .full
        if let reason = reason(against: peer.uid, isFull) {
            guard refused < ControlServer.maxRefused else { return .none }
            refused += 1
            return .refused(.unavailable(reason))
        }
        guard !isFull else {
            full += 1
            return .full
        }
        others[peer.uid, default: 0] += 1
        otherCount += 1
        return .other(uid: peer.uid)
    }

    mutating func leave(_ place: Place) {
        switch place {
        case .full: full -= 1
        case .other(let uid):
            let left = (others[uid] ?? 1) - 1
            others[uid] = left > 0 ? left : nil
            otherCount -= 1
        case .refused: refused -= 1
        case .none: break
        }
    }

    private func reason(against uid: UInt32?, _ isFull: Bool) -> String? {
        guard full + otherCount < ControlServer.maxConnections else {
            return
                "All \(ControlServer.maxConnections) connections to the control socket are in use. End what holds them, such as "
                + "`wsctl logs -f`, and try again."
        }
        guard !isFull else { return nil }
        guard others[uid] ?? 0 < ControlServer.maxOthersPerUser else {
            return
                "You have \(ControlServer.maxOthersPerUser) connections to the control socket, and who may only look gets no more. "
                + "End what holds them, such as `wsctl logs -f`, and try again."
        }
        guard otherCount < ControlServer.maxOthers else {
            return
                "Users who may only look have all \(ControlServer.maxOthers) connections to the control socket that there are for "
                + "them. Try again later; root, the user wsd runs as and the members of control.group still get in."
        }
        return nil
    }
}
