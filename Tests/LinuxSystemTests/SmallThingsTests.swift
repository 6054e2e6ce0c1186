import Glibc
import Model
import Testing

@testable import LinuxSystem

struct SmallThingsTests {
    @Test func signalsAreReadFromADescriptor() throws {
        try SignalDescriptor.block([SIGUSR1])
        let signals = try SignalDescriptor([SIGUSR1])
        defer { signals.close() }
        #expect(try signals.read().isEmpty)
        // To this thread, which blocks it; other threads of the test process may not.
        pthread_kill(pthread_self(), SIGUSR1)
        let received = try #require(try signals.read().first)
        #expect(received.signal == SIGUSR1)
        #expect(received.pid == getpid())
        #expect(received.uid == getuid())
        #expect(!received.isFromKernel)
        #expect(try signals.read().isEmpty)
    }

    @Test func aPipesWriterStaysBlocking() throws {
        let pipe = try Descriptors.pipe()
        defer { for descriptor in [pipe.read, pipe.write] { Descriptors.close(descriptor) } }
        #expect(fcntl(pipe.read, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(pipe.write, F_GETFL) & O_NONBLOCK == 0)
        for descriptor in [pipe.read, pipe.write] { #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0) }
        try Descriptors.setNonBlocking(pipe.write)
        #expect(fcntl(pipe.write, F_GETFL) & O_NONBLOCK != 0)
        try Descriptors.setCloseOnExec(pipe.write, false)
        #expect(fcntl(pipe.write, F_GETFD) & FD_CLOEXEC == 0)
        #expect(Descriptors.open().contains(pipe.read))
    }

    @Test func bothEndsOfAPairAreReady() throws {
        let pair = try Descriptors.socketPair()
        defer { for descriptor in [pair.ours, pair.theirs] { Descriptors.close(descriptor) } }
        for descriptor in [pair.ours, pair.theirs] {
            #expect(fcntl(descriptor, F_GETFL) & O_NONBLOCK != 0)
            #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
        }
        #expect(write(pair.ours, "x", 1) == 1)
    }

    @Test func theSoftLimitBecomesTheHardOne() throws {
        let limit = try DescriptorLimit.raise()
        #expect(limit.soft == limit.hard && limit.soft > 0)
        #expect(try DescriptorLimit.current == limit)
    }

    @Test func clocksGoOn() {
        let first = MonotonicTime.now()
        #expect(MonotonicTime.now() >= first)
        #expect(Clocks.wallSeconds() > 1_700_000_000)
    }

    @Test func aPipeIsNoTerminal() throws {
        let pipe = try Descriptors.pipe()
        defer { for descriptor in [pipe.read, pipe.write] { Descriptors.close(descriptor) } }
        #expect(!Terminal.isTerminal(pipe.write))
        #expect(Terminal.columns(pipe.write) == nil)
    }

    @Test func assignmentsForSystemd() {
        #expect(ServiceManager.monotonic(MonotonicTime(nanoseconds: 1_234_567_890)) == "MONOTONIC_USEC=1234567")
        #expect(ServiceManager.extendTimeout(by: .seconds(30)) == "EXTEND_TIMEOUT_USEC=30000000")
        #expect(ServiceManager.extendTimeout(by: .seconds(-1)) == "EXTEND_TIMEOUT_USEC=0")
    }

    @Test func aMissingLibraryIsNamed() {
        guard case .failure(let error) = SystemdLibrary.load("libno-such-thing.so.0") else {
            Issue.record("it was loaded")
            return
        }
        #expect(error.reason.contains("libno-such-thing.so.0"))
    }

    /// Debian has it wherever systemd or apt is.
    @Test func theLibraryHasTheCalls() throws {
        let systemd = try SystemdLibrary.load().get()
        var microseconds: UInt64 = 0
        #expect(systemd.watchdogEnabled(0, &microseconds) <= 0, "no watchdog is asked for here")
    }

    @Test func errorsAreSentences() {
        #expect(SystemError(call: "epoll_ctl", code: ENOMEM).description == "epoll_ctl failed: Cannot allocate memory")
        let denied = ListenError.failed(.tcp(host: nil, port: 80), SystemError(call: "bind", code: EACCES))
        #expect(denied.description.hasPrefix("Cannot listen on :80: Permission denied. Ports below 1024 need root"))
    }
}
