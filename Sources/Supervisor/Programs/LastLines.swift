import DequeModule

/// The last lines that a process wrote on standard error, for the reason of its end.
struct LastLines: Codable {
    /// An error stands before its stack trace: so many lines are looked at for it.
    static let maxLines = 40
    /// Bytes kept of each.
    static let maxBytes = 500

    private var lines: Deque<[UInt8]> = []

    mutating func add(_ line: UnsafeRawBufferPointer) {
        if lines.count == Self.maxLines { lines.removeFirst() }
        lines.append(Array(line.prefix(Self.maxBytes)))
    }

    /// The oldest first, without control characters.
    var texts: [String] { lines.map { LogText.escaped(String(decoding: $0, as: UTF8.self)) } }
}
