import HTTPTypes

/// What the process at the other end of a control connection may do.
enum ControlAccess: Sendable, Equatable {
    /// Root, the service's own user, and members of `control.group`.
    case full
    /// Anybody else, with `control.readOnlyOthers`.
    case readOnly
    case none

    /// - Parameters:
    ///   - uid: user of the peer (`SO_PEERCRED`); `nil`: the kernel did not say.
    ///   - groups: its groups, supplementary ones included (`SO_PEERGROUPS`).
    ///   - group: gid of `control.group`.
    init(uid: UInt32?, groups: [UInt32], ownUID: UInt32, group: UInt32?, readOnlyOthers: Bool) {
        if let uid, uid == 0 || uid == ownUID {
            self = .full
        } else if uid != nil, let group, groups.contains(group) {
            self = .full
        } else {
            self = readOnlyOthers ? .readOnly : .none
        }
    }

    /// Why this access does not suffice; `nil`: it does.
    func refusal(of method: HTTPRequest.Method) -> ControlFailure? {
        switch self {
        case .full: return nil
        case .readOnly where method == .get || method == .head: return nil
        case .readOnly:
            return .forbidden(
                "You may look at this service, but not change it: that takes root, the user it runs as, or a member of control.group."
            )
        case .none:
            return .forbidden(
                "You may not use this service's control socket: that takes root, the user it runs as, or a member of control.group."
            )
        }
    }
}
