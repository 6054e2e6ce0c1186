import Model
import NIOCore
import Wire

/// What the driver holds of one process it has spawned, from the spawn until its end was reported. Confined to the event
/// loop.
final class Child {
    /// How long after the end of a process its last words on the link are waited for.
    static let lastWords = TimeAmount.milliseconds(250)

    let instance: InstanceID
    let slot: SlotID
    let pid: Int32
    let source: LogSource
    let pump: LogPump
    var link: (any Channel)?
    /// The link has ended: whatever the child said has been heard.
    var linkEnded = false
    /// The process has ended.
    var exit: ProcessExit?
    /// Messages that were not taken by the kernel yet.
    private(set) var unsent = 0
    /// Of its hello.
    var boot: BootID?
    /// Hello was valid: it may be asked and told things.
    var isIntroduced = false
    var isReady = false
    var counters = ChildCounters()
    var usage: ProcessUsage?
    var messagesIn = RateMeter()
    var messagesOut = RateMeter()
    var cpu = RateMeter()

    init(instance: InstanceID, slot: SlotID, pid: Int32, pump: LogPump) {
        self.instance = instance
        self.slot = slot
        self.pid = pid
        self.pump = pump
        source = LogSource(slot: slot, pid: pid)
    }

    func beat(_ counters: ChildCounters, usage: ProcessUsage?, now: MonotonicTime) {
        self.counters = counters
        messagesIn.add(Double(counters.messagesIn), at: now)
        messagesOut.add(Double(counters.messagesOut), at: now)
        guard let usage else { return }
        self.usage = usage
        cpu.add(usage.cpuSeconds, at: now)
    }

    /// Sends one line. `false`: the link has ended, or the message is longer than a line may be.
    @discardableResult func send(_ message: SupervisorMessage) -> Bool {
        guard let link, !linkEnded, let line = try? ChildLinkCodec.encode(message) else { return false }
        unsent += 1
        let bound = NIOLoopBound(self, eventLoop: link.eventLoop)
        link.writeAndFlush(line).whenComplete { _ in bound.value.unsent -= 1 }
        return true
    }

    /// Whether the child reads what it is sent; questions are not put to one that does not.
    var isListening: Bool { isIntroduced && !linkEnded && exit == nil && link?.isWritable == true }
}
