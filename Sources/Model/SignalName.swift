/// Names of signals (signal(7)), numbered as on x86 and Arm.
package enum SignalName {
    /// Without `SIG`; the first one has the number 1.
    private static let names = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ]
    /// What the C library leaves of the real-time signals (signal(7)).
    private static let realTime: ClosedRange<Int32> = 34...64

    /// Reads `SIGTERM`, `TERM`, `15` or `SIGRTMIN+3`, in upper or lower case; `nil` when it is no signal.
    package static func number(_ text: String) -> Int32? {
        if let number = Int32(text) { return self.text(number) == nil ? nil : number }
        var name = text.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        if let index = names.firstIndex(of: name) { return Int32(index + 1) }
        guard name.hasPrefix("RTMIN") else { return nil }
        let offset = name.dropFirst(5)
        guard !offset.isEmpty else { return realTime.lowerBound }
        guard offset.first == "+", let steps = Int32(offset.dropFirst()), (0..<31).contains(steps) else { return nil }
        return realTime.lowerBound + steps
    }

    /// `SIGTERM`, `SIGRTMIN+3`; `nil` when no signal has the number.
    package static func text(_ number: Int32) -> String? {
        if names.indices.contains(Int(number) - 1) { return "SIG\(names[Int(number) - 1])" }
        guard realTime.contains(number) else { return nil }
        return number == realTime.lowerBound ? "SIGRTMIN" : "SIGRTMIN+\(number - realTime.lowerBound)"
    }
}
