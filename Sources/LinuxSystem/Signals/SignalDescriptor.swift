import CLinux
import Glibc

/// A signal and who sent it.
package struct ReceivedSignal: Hashable, Sendable {
    package var signal: Int32
    /// `si_code` of sigaction(2).
    package var code: Int32
    /// 0 where the kernel sent it.
    package var pid: Int32
    package var uid: UInt32

    /// Sent by the kernel, as SIGINT by Ctrl-C or SIGHUP by a terminal that is closed.
    package var isFromKernel: Bool { code == 0x80 }
}

/// Signals as a descriptor to read (signalfd(2)) instead of as interruptions.
package struct SignalDescriptor: Sendable {
    /// Non-blocking, CLOEXEC; readable while a signal is pending.
    package let descriptor: Int32

    /// Blocks the signals in this thread and those it will create, and ignores SIGPIPE. To be called before there is a second
    /// thread: a signal that any thread does not block would still interrupt the process.
    package static func block(_ signals: [Int32]) throws(SystemError) {
        try SystemError.check("sigprocmask", nil, wsd_block_signals(signals, signals.count))
    }

    /// - Parameter signals: must be blocked already.
    package init(_ signals: [Int32]) throws(SystemError) {
        descriptor = try SystemError.check("signalfd", nil, wsd_signal_descriptor(signals, signals.count))
    }

    /// The pending signals; empty when there are none.
    package func read() throws(SystemError) -> [ReceivedSignal] {
        var received: [ReceivedSignal] = []
        var next = wsd_signal()
        // Ordinary signals do not queue, so 64 reads are more than there can be at once.
        while received.count < 64, try SystemError.check("read", "signals", wsd_read_signal(descriptor, &next)) == 1 {
            received.append(ReceivedSignal(signal: next.signal, code: next.code, pid: next.pid, uid: next.uid))
        }
        return received
    }

    package func close() {
        Glibc.close(descriptor)
    }
}
