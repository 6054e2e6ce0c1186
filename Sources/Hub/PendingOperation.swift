import Model
import NIOCore
import Realtime

/// An operation that was read in this turn and waits for its end.
struct PendingOperation {
    enum Source {
        /// A worker's, with its number in the machine.
        case worker(HubLink, Int)
        /// The control socket's; it gets the results.
        case control(([BackendResult]) -> Void)
    }

    var source: Source
    var operation: HubOperation
    /// A slice of the bytes received.
    var payload: ByteBuffer
    /// What a backend request asks for, or why it cannot be carried out.
    var backend: BackendPlan?
}
