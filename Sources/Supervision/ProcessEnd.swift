package import Model

extension ProcessExit {
    /// `exited with 1`, `was killed by SIGKILL`, `was killed by the kernel for memory`.
    package var sentence: String {
        switch self {
        case .exited(let code): "exited with \(code)"
        case .signalled(let signal, let coreDumped):
            "was killed by \(Self.name(ofSignal: signal))\(coreDumped ? " (core dumped)" : "")"
        case .killedForMemory: "was killed by the kernel for memory"
        }
    }

    /// Names of signal(7) for the signals that end a process as a rule; `signal 35` for the rest. The numbers are
    /// those of Linux on x86 and ARM.
    package static func name(ofSignal signal: Int32) -> String {
        switch signal {
        case 1: "SIGHUP"
        case 2: "SIGINT"
        case 3: "SIGQUIT"
        case 4: "SIGILL"
        case 5: "SIGTRAP"
        case 6: "SIGABRT"
        case 7: "SIGBUS"
        case 8: "SIGFPE"
        case 9: "SIGKILL"
        case 10: "SIGUSR1"
        case 11: "SIGSEGV"
        case 12: "SIGUSR2"
        case 13: "SIGPIPE"
        case 14: "SIGALRM"
        case 15: "SIGTERM"
        case 24: "SIGXCPU"
        case 25: "SIGXFSZ"
        case 31: "SIGSYS"
        default: "signal \(signal)"
        }
    }
}

extension Duration {
    /// `0.1 s`, `12 s`: for sentences. Tenths below ten seconds.
    var spoken: String {
        let tenths = (nanoseconds + 50_000_000) / 100_000_000
        return tenths < 100 && tenths % 10 != 0 ? "\(tenths / 10).\(tenths % 10) s" : "\((tenths + 5) / 10) s"
    }

    /// `in 2 s`, `at once`: when something begins.
    var spokenWait: String { self < .milliseconds(50) ? "at once" : "in \(spoken)" }
}
