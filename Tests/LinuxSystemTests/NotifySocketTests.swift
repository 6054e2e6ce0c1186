import CLinux
import Glibc
import Model
import Synchronization
import Testing

@testable import LinuxSystem

struct NotifySocketTests {
    /// Sends as a program does (sd_notify(3)).
    private static func send(_ text: String, to address: String) throws {
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(socket) }
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let bytes = [0] + address.utf8.dropFirst()
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let connected = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, length) }
        }
        guard connected == 0 else { throw TestFailure("connect: \(errno)") }
        let text = Array(text.utf8)
        guard Glibc.send(socket, text, text.count, 0) == text.count else { throw TestFailure("send: \(errno)") }
    }

    @Test func messagesComeWithTheirSender() throws {
        let socket = try NotifySocket()
        defer { socket.close() }
        #expect(socket.address.hasPrefix("@wsd-notify-") && socket.address.utf8.count == 44)
        #expect(socket.receive().isEmpty)
        try Self.send("READY=1\nSTATUS=Serves 3 rooms\n", to: socket.address)
        try Self.send("", to: socket.address)
        try Self.send(String(repeating: "x", count: NotifySocket.longestMessage + 1), to: socket.address)
        try Self.send("STATUS=\(String(repeating: "ü", count: 2000))", to: socket.address)
        let messages = socket.receive()
        #expect(messages.map(\.isReady) == [true, false, false])
        #expect(messages.map(\.status?.count) == [14, nil, 2000])
        #expect(messages.allSatisfy { $0.pid == getpid() && $0.uid == getuid() })
        #expect(fcntl(socket.descriptor, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func aListenerTellsSocketsApart() throws {
        let heard = Mutex<[UInt64: [String]]>([:])
        let pipe = try Descriptors.pipe()
        defer { Descriptors.close(pipe.read) }
        let listener = try NotifyListener { key, messages in
            heard.withLock { $0[key, default: []] += messages.flatMap(\.assignments) }
            _ = write(pipe.write, "x", 1)
        }
        let first = try listener.open(1)
        let second = try listener.open(2)
        #expect(throws: SystemError.self) { try listener.open(2) }
        try Self.send("READY=1", to: first)
        try Self.send("STATUS=two", to: second)
        for _ in 0..<2 {
            var entry = pollfd(fd: pipe.read, events: Int16(POLLIN), revents: 0)
            #expect(poll(&entry, 1, 5_000) == 1)
            var byte: UInt8 = 0
            #expect(read(pipe.read, &byte, 1) == 1)
        }
        #expect(heard.withLock { $0 } == [1: ["READY=1"], 2: ["STATUS=two"]])
        listener.close(1)
        #expect(throws: TestFailure.self) { try Self.send("READY=1", to: first) }
        #expect(try listener.open(1) != first)
        listener.stop()
        #expect(throws: SystemError.self) { try listener.open(3) }
    }

    @Test func localTimeIsThatOfTheZone() {
        let offset = LocalClock.offset(at: 1_772_712_000)
        let minute = LocalClock.minute(of: 1_772_712_000)
        #expect((-14 * 3600...14 * 3600).contains(offset))
        #expect(minute == LocalMinute(index: (1_772_712_000 + offset) / 60))
    }
}
