import LinuxSystem

/// What stands on the terminal, so that only what is different is written.
struct MonitFrame {
    /// The other screen, the cursor hidden, no wrapping at the right edge, pasted text marked (xterm's control sequences).
    static let enter = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l\u{1b}[?2004h\u{1b}[0m\u{1b}[2J"
    static let leave = "\u{1b}[0m\u{1b}[?2004l\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l"

    private var drawn: [String] = []
    private var size: FullScreenTerminal.Size?

    /// Everything is written the next time.
    mutating func forget() { size = nil }

    /// One write for all that changed; empty: nothing did.
    mutating func bytes(_ lines: [String], _ size: FullScreenTerminal.Size) -> [UInt8] {
        var text = ""
        if size != self.size {
            text = "\u{1b}[0m\u{1b}[2J"
            drawn = []
        }
        for (index, line) in lines.enumerated() where index >= drawn.count ? !line.isEmpty : drawn[index] != line {
            text += "\u{1b}[\(index + 1);1H\u{1b}[2K\(line)\u{1b}[0m"
        }
        (drawn, self.size) = (lines, size)
        return Array(text.utf8)
    }
}
