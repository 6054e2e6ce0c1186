// What the fleet asks about a slot.

extension SlotStateMachine {
    /// A ready process answers for it.
    var isServing: Bool {
        switch state {
        case .ready, .replacing: true
        case .stopped, .starting, .ending, .backoff, .failed: false
        }
    }

    /// A ready process, and no successor on its way.
    var servesAlone: Bool {
        switch state {
        case .ready: true
        case .stopped, .starting, .replacing, .ending, .backoff, .failed: false
        }
    }

    var hasFailed: Bool {
        switch state {
        case .failed: true
        case .stopped, .starting, .ready, .replacing, .ending, .backoff: false
        }
    }

    /// No process of it is just starting or ending.
    var isSettled: Bool {
        switch state {
        case .ready, .backoff, .failed, .stopped: true
        case .starting, .replacing, .ending: false
        }
    }
}
