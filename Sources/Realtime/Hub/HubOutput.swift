package import Model

/// What goes with a delivery.
package enum HubPayload: Hashable, Sendable {
    case none
    /// The payload of the operation that is being carried out.
    case ofOperation
    case bytes([UInt8])
}

/// Takes what the hub's machine decides, in order. The driver encodes each delivery once and appends the same bytes to
/// every link. None of these may call the machine: collect, then act.
package protocol HubOutput: AnyObject {
    /// `links` is never empty. It may be used again by the machine: a copy that is kept costs an allocation.
    func deliver(_ delivery: HubDelivery, payload: HubPayload, to links: [Int])
    /// To the link whose operation this answers.
    func reply(_ reply: HubReply, sequence: UInt64, to link: Int)
    func command(_ command: HubCommand, to link: Int)
}
