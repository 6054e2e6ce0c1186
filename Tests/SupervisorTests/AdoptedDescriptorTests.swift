import Glibc
import LinuxSystem
import NIOCore
import NIOPosix
import Testing

@testable import Supervisor

struct AdoptedDescriptorTests {
    private struct Refusal: Error {}

    private static func isOpen(_ descriptor: CInt) -> Bool { fcntl(descriptor, F_GETFD) >= 0 }

    private static func onLoop<Result: Sendable>(_ body: @escaping @Sendable (any EventLoop) throws -> Result)
        async throws -> Result
    {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result = try await group.next().submit { try body(group.next()) }.get()
        try await group.shutdownGracefully()
        return result
    }

    /// A file is nothing to wait for: NIO makes no channel of it and leaves it to whoever had it.
    @Test func whatBecomesNoChannelIsClosed() async throws {
        let (failures, isOpen) = try await Self.onLoop { eventLoop in
            let file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC)
            var failures = 0
            AdoptedDescriptor.read(file, on: eventLoop) { _ in
            } failed: { _ in
                failures += 1
            }
            return (failures, ProcFileLink.isStat(file))
        }
        #expect(failures == 1 && !isOpen)
    }

    /// NIO has closed it, and its number is somebody else's by then.
    @Test func aChannelThatFailsIsClosedOnce() async throws {
        let outcomes = try await Self.onLoop { eventLoop in
            try (0..<20).compactMap { _ -> (failures: Int, isKept: Bool)? in
                let pipe = try Descriptors.pipe()
                defer { Descriptors.close(pipe.write) }
                var successor: CInt = -1
                var failures = 0
                AdoptedDescriptor.read(pipe.read, on: eventLoop) { channel in
                    channel.close(promise: nil)
                    successor = open("/dev/null", O_RDONLY | O_CLOEXEC)
                    throw Refusal()
                } failed: { _ in
                    failures += 1
                }
                // Another thread may have been given the number.
                guard successor == pipe.read else {
                    Descriptors.close(successor)
                    return nil
                }
                let isKept = Self.isOpen(successor)
                if isKept { Descriptors.close(successor) }
                return (failures, isKept)
            }
        }
        #expect(!outcomes.isEmpty && outcomes.allSatisfy { $0.failures == 1 && $0.isKept })
    }
}

private enum ProcFileLink {
    /// Whether the number is still, or again, that of the file above.
    static func isStat(_ descriptor: CInt) -> Bool {
        var buffer = [CChar](repeating: 0, count: 256)
        let count = readlink("/proc/self/fd/\(descriptor)", &buffer, buffer.count)
        guard count > 0 else { return false }
        return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self).hasSuffix("/stat")
    }
}
