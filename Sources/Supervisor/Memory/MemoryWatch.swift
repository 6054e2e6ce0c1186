import LinuxSystem
import Model
import NIOCore
import NIOPosix
import Supervision

/// Looks at the memory of the service's control group: regularly, and when the kernel tells of an event. Confined to the event
/// loop.
final class MemoryWatch {
    /// Time between two looks; all there is where the kernel tells of no events (version 1).
    static let interval = TimeAmount.seconds(5)
    /// Shortest time between two looks for events: above its limit a busy group has a hundred a second.
    static let settle = TimeAmount.milliseconds(200)

    private let eventLoop: any EventLoop
    private let system: any ChildSystem
    private let took: (MemoryReading) -> Void
    private var timer: RepeatedTask?
    private var pending: Scheduled<Void>?
    private var channel: (any Channel)?
    private var isStopped = false

    /// `nil`: there is no group.
    ///
    /// - Parameter took: each reading; the first before this returns.
    init?(eventLoop: any EventLoop, system: any ChildSystem, took: @escaping (MemoryReading) -> Void) {
        (self.eventLoop, self.system, self.took) = (eventLoop, system, took)
        guard let first = system.memory() else { return nil }
        took(first)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleRepeatedTask(initialDelay: Self.interval, delay: Self.interval) { _ in
            bound.value.look()
        }
        system.memoryEvents().map(follow)
    }

    /// Reads the group's figures now.
    func look() {
        guard !isStopped, let reading = system.memory() else { return }
        took(reading)
    }

    func stop() {
        isStopped = true
        timer?.cancel()
        pending?.cancel()
        channel?.close(promise: nil)
        channel = nil
    }

    private func follow(_ descriptor: CInt) {
        AdoptedDescriptor.read(descriptor, on: eventLoop) { [self] channel in
            try channel.pipeline.syncOperations.addHandler(EventHandler { self.eventCame() })
            self.channel = channel
        }
    }

    private func eventCame() {
        guard pending == nil, !isStopped else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        pending = eventLoop.scheduleTask(in: Self.settle) {
            bound.value.pending = nil
            bound.value.look()
        }
    }

    private final class EventHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let came: () -> Void

        init(_ came: @escaping () -> Void) {
            self.came = came
        }

        func channelReadComplete(context: ChannelHandlerContext) {
            came()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}

extension FleetDriver {
    func startMemoryWatch() {
        let interval = TimeAmount(FreedMemory.interval)
        eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in FreedMemory.giveBack() }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        memoryWatch = MemoryWatch(eventLoop: eventLoop, system: system) { reading in
            let driver = bound.value
            driver.input { $0.memoryRead(reading, own: driver.ownResident, now: driver.now()) }
        }
    }
}
