import Glibc
import Testing

@testable import LinuxSystem

struct JournalSocketTests {
    /// A datagram socket in the journal's place.
    private final class Journal {
        let path: String
        let descriptor: Int32

        init(_ path: String) throws {
            self.path = path
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
            let size = socklen_t(MemoryLayout<sockaddr_un>.size)
            let result = withUnsafePointer(to: &name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
            }
            guard descriptor >= 0, result == 0 else { throw TestFailure("bind: \(errno)") }
        }

        deinit {
            close(descriptor)
            unlink(path)
        }

        /// The next datagram, or what the file that came with it holds.
        func receive() throws -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: 1 << 20)
            var control = [UInt8](repeating: 0, count: 64)
            let (count, file) = bytes.withUnsafeMutableBytes { bytes in
                control.withUnsafeMutableBytes { control in
                    var part = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                    return withUnsafeMutablePointer(to: &part) { part in
                        var message = msghdr()
                        message.msg_iov = part
                        message.msg_iovlen = 1
                        message.msg_control = control.baseAddress
                        message.msg_controllen = control.count
                        let count = recvmsg(descriptor, &message, 0)
                        let header = MemoryLayout<cmsghdr>.size
                        let file =
                            message.msg_controllen > header
                            ? control.loadUnaligned(fromByteOffset: header, as: Int32.self) : -1
                        return (count, file)
                    }
                }
            }
            guard file >= 0 else { return Array(bytes[..<max(0, count)]) }
            defer { close(file) }
            var whole: [UInt8] = []
            while true {
                let got = pread(file, &bytes, bytes.count, off_t(whole.count))
                if got <= 0 { return whole }
                whole += bytes[..<got]
            }
        }
    }

    private func send(_ text: [UInt8], _ socket: inout JournalSocket) -> JournalSocket.Outcome {
        text.withUnsafeBytes { socket.send($0) }
    }

    @Test func recordsArriveWhole() throws {
        let directory = try TemporaryDirectory()
        let journal = try Journal(directory.file("socket"))
        var socket = JournalSocket(path: journal.path)
        defer { socket.disconnect() }
        let outcome1 = send(Array("MESSAGE=hello\n".utf8), &socket)
        #expect(outcome1 == .sent)
        #expect(try journal.receive() == Array("MESSAGE=hello\n".utf8))
        // Above what a datagram holds, whatever net.core.wmem_max is.
        let large = (0..<(3 << 20)).map { UInt8(truncatingIfNeeded: $0 / 1000) }
        let outcome2 = send(large, &socket)
        #expect(outcome2 == .sent)
        #expect(try journal.receive() == large)
    }

    @Test func aFullQueueAndAMissingJournalAreTold() throws {
        let directory = try TemporaryDirectory()
        var socket = JournalSocket(path: directory.file("socket"))
        defer { socket.disconnect() }
        let outcome3 = send([1], &socket)
        #expect(outcome3 == .unreachable)
        var journal: Journal? = try Journal(directory.file("socket"))
        var sent = 0
        while send([2], &socket) == .sent, sent < 100_000 { sent += 1 }
        #expect(sent > 0 && sent < 100_000)
        let outcome4 = send([3], &socket)
        #expect(outcome4 == .full)
        socket.waitForRoom(milliseconds: 1)
        for _ in 0..<sent { #expect(try journal?.receive() == [2]) }
        socket.waitForRoom(milliseconds: 10_000)
        let outcome5 = send([4], &socket)
        #expect(outcome5 == .sent)
        journal = nil
        let outcome6 = send([5], &socket)
        #expect(outcome6 == .unreachable)
        let next = try Journal(directory.file("socket"))
        let outcome7 = send([6], &socket)
        #expect(outcome7 == .sent)
        #expect(try next.receive() == [6])
    }

    @Test func theStreamOfStandardErrorIsCompared() {
        var status = stat()
        fstat(STDERR_FILENO, &status)
        #expect(JournalSocket.isStandardError(["JOURNAL_STREAM": "\(status.st_dev):\(status.st_ino)"]))
        #expect(!JournalSocket.isStandardError(["JOURNAL_STREAM": "\(status.st_dev):\(status.st_ino + 1)"]))
        #expect(!JournalSocket.isStandardError(["JOURNAL_STREAM": "x"]))
        #expect(!JournalSocket.isStandardError([:]))
    }
}
