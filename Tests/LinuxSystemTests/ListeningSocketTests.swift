import CLinux
import Glibc
import Model
import Testing

@testable import LinuxSystem

struct ListeningSocketTests {
    @Test func allAddressesAreOneSocketForBothFamilies() throws {
        let sockets = try ListeningSocket.bind(.tcp(host: nil, port: 0))
        defer { for socket in sockets { socket.close() } }
        let socket = try #require(sockets.count == 1 ? sockets.first : nil)
        guard case .tcp(nil, let port) = socket.address else { throw TestFailure("\(socket.address)") }
        #expect(port != 0)
        #expect(Peer.connects(to: [127, 0, 0, 1], port: port))
        #expect(Peer.connects(to: NumericAddress.loopbackV6.bytes, port: port))
        #expect(SystemdSockets.address(of: socket.descriptor) == socket.address)
        #expect(wsd_is_listening(socket.descriptor) == 1)
        #expect(fcntl(socket.descriptor, F_GETFD) & FD_CLOEXEC != 0)
        #expect(fcntl(socket.descriptor, F_GETFL) & O_NONBLOCK != 0)
    }

    @Test func localhostIsBothLoopbacksOnOnePort() throws {
        let sockets = try ListeningSocket.bind(.tcp(host: "localhost", port: 0))
        defer { for socket in sockets { socket.close() } }
        guard case .tcp("127.0.0.1", let port) = sockets.first?.address else { throw TestFailure("\(sockets)") }
        #expect(sockets.map(\.address) == [.tcp(host: "127.0.0.1", port: port), .tcp(host: "::1", port: port)])
        #expect(SystemdSockets.address(of: sockets[1].descriptor) == .tcp(host: "::1", port: port))
    }

    @Test func aPortInUseNamesItsHolder() throws {
        let held = try #require(try ListeningSocket.bind(.tcp(host: "127.0.0.1", port: 0)).first)
        defer { held.close() }
        guard case .tcp(_, let port) = held.address else { return }
        for host in ["127.0.0.1", nil] {
            let failure = #expect(throws: ListenError.self) { try ListeningSocket.bind(.tcp(host: host, port: port)) }
            #expect(failure == .addressInUse(.tcp(host: host, port: port), holder: .of(pid: getpid())))
            #expect(failure?.description.contains("(pid \(getpid())) listens there already.") == true)
        }
        // Another address is free.
        try ListeningSocket.bind(.tcp(host: "127.0.0.2", port: port)).forEach { $0.close() }
    }

    @Test func namesThatHaveNoAddressAreRefused() throws {
        let failure = #expect(throws: ListenError.self) {
            try ListeningSocket.bind(.tcp(host: "no such host", port: 0))
        }
        guard case .unknownHost("no such host", _) = failure else {
            throw TestFailure("\(String(describing: failure))")
        }
        #expect(throws: ListenError.self) { try ListeningSocket.bind(.tcp(host: "192.0.2.1", port: 0)) }
    }

    @Test func aListenerInTheTableConflictsByAddress() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0
               1: 0200007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0
               2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0
               3: broken
            """
        func find(_ bytes: [UInt8], _ port: UInt16 = 8080) -> [String] {
            PortHolder.listeners(in: table, port: port, conflictingWith: NumericAddress(bytes: bytes))
        }
        #expect(find([127, 0, 0, 1]) == ["111"])
        #expect(find([0, 0, 0, 0]) == ["111", "222"])
        #expect(find([127, 0, 0, 3]).isEmpty)
        #expect(find([127, 0, 0, 1], 8081).isEmpty)
    }

    @Test func aUnixSocketReplacesAStaleOneOnly() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("app.sock")
        let first = try #require(try ListeningSocket.bind(.unix(path: path)).first)
        #expect(TemporaryDirectory.mode(of: path) == 0o666)
        #expect(SystemdSockets.address(of: first.descriptor) == .unix(path: path))
        let refused = #expect(throws: ListenError.self) { try ListeningSocket.bind(.unix(path: path)) }
        #expect(refused == .addressInUse(.unix(path: path), holder: .of(pid: getpid())))

        first.close()
        let second = try #require(try ListeningSocket.bind(.unix(path: path)).first)
        ListeningSocket(descriptor: second.descriptor, address: second.address).removeFile()
        #expect(TemporaryDirectory.mode(of: path) == 0o666, "not this process's file to remove")
        second.removeFile()
        second.close()
        #expect(TemporaryDirectory.mode(of: path) == 0)
    }

    @Test func aFileInTheWayIsLeftAlone() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("app.sock")
        Glibc.close(open(path, O_CREAT | O_WRONLY, 0o600))
        #expect(throws: ListenError.notASocket(path: path)) { try ListeningSocket.bind(.unix(path: path)) }
        #expect(throws: UnixListenerError.notASocket(path: path)) { try UnixListener.bind(path: path, mode: 0o600) }
    }

    @Test func systemdsAnnouncementIsForOneProcess() {
        func announced(_ pid: String?, _ count: String?, _ names: String? = nil) -> [String] {
            var environment: [String: String] = [:]
            environment["LISTEN_PID"] = pid
            environment["LISTEN_FDS"] = count
            environment["LISTEN_FDNAMES"] = names
            return SystemdSockets.announced(in: environment, pid: 42)
        }
        #expect(announced("42", "2", "web") == ["web", ""])
        #expect(announced("42", "1", "a:b") == ["a"])
        #expect(announced("43", "1").isEmpty)
        #expect(announced(nil, "1").isEmpty)
        #expect(announced("42", "-1").isEmpty)
        #expect(announced("42", "99999").isEmpty)
        #expect(announced("42", "x").isEmpty)
    }
}

enum Peer {
    /// Whether a blocking connect succeeds.
    static func connects(to address: [UInt8], port: UInt16) -> Bool {
        let isV6 = address.count == 16
        let descriptor = socket(isV6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(descriptor) }
        var storage = sockaddr_storage()
        let size = isV6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.storeBytes(of: UInt16(isV6 ? AF_INET6 : AF_INET), as: UInt16.self)
            bytes.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
            for (index, byte) in address.enumerated() { bytes[(isV6 ? 8 : 4) + index] = byte }
        }
        return withUnsafePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(size)) } == 0
        }
    }
}
