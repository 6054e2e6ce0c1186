import LinuxSystem
import NIOCore
import NIOPosix

/// Gives descriptors to channels of an event loop, for good: each is closed once, whatever comes of the channel.
///
/// Call on the event loop. NIO closes a descriptor as soon as it has made a channel of it, even where the channel then fails (its
/// event loop is ending, its initializer throws), although its documentation leaves that to the caller: closed a second time, the
/// number may have been given to somebody else in between.
enum AdoptedDescriptor {
    /// Reads from a pipe, or from what can be read like one.
    ///
    /// - Parameters:
    ///   - readSize: bytes of one read; `nil`: as NIO sees fit.
    ///   - failed: there is no channel; told at most once.
    static func read(
        _ descriptor: CInt, on eventLoop: any EventLoop, readSize: Int? = nil,
        initialize: @escaping (any Channel) throws -> Void, failed: @escaping (any Error) -> Void = { _ in }
    ) {
        var bootstrap = NIOPipeBootstrap(group: eventLoop)
        if let readSize {
            bootstrap = bootstrap.channelOption(
                .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: readSize))
        }
        let adoption = Adoption(descriptor, eventLoop, initialize, failed)
        bootstrap.channelInitializer(adoption.initialize).takingOwnershipOfDescriptor(input: descriptor)
            .whenFailure(adoption.failed)
    }

    /// Talks over a connected stream socket.
    ///
    /// - Parameter failed: there is no channel; told at most once.
    static func connected(
        _ descriptor: CInt, on eventLoop: any EventLoop, initialize: @escaping (any Channel) throws -> Void,
        failed: @escaping (any Error) -> Void = { _ in }
    ) {
        let adoption = Adoption(descriptor, eventLoop, initialize, failed)
        ClientBootstrap(group: eventLoop).channelInitializer(adoption.initialize).withConnectedSocket(descriptor)
            .whenFailure(adoption.failed)
    }

    private final class Adoption: Sendable {
        private let descriptor: CInt
        /// A channel has been made of it, which closes it.
        private let isChannels: NIOLoopBoundBox<Bool>
        private let told: NIOLoopBound<(initialize: (any Channel) throws -> Void, failed: (any Error) -> Void)>

        init(
            _ descriptor: CInt, _ eventLoop: any EventLoop, _ initialize: @escaping (any Channel) throws -> Void,
            _ failed: @escaping (any Error) -> Void
        ) {
            self.descriptor = descriptor
            isChannels = NIOLoopBoundBox(false, eventLoop: eventLoop)
            told = NIOLoopBound((initialize, failed), eventLoop: eventLoop)
        }

        @Sendable func initialize(_ channel: any Channel) -> EventLoopFuture<Void> {
            isChannels.value = true
            return channel.eventLoop.makeCompletedFuture { try told.value.initialize(channel) }
        }

        @Sendable func failed(_ error: any Error) {
            if !isChannels.value { Descriptors.close(descriptor) }
            told.value.failed(error)
        }
    }
}
