/// Cuts a stream of bytes into lines, however it arrives, and never holds more than one line of ``maxLine`` bytes.
struct LogLineSplitter: Codable {
    static let maxLine = LogStore.maxLine

    private var partial: [UInt8] = []
    /// The rest of the current line is skipped: its beginning was handed out already.
    private var skipping = false

    /// Calls `line` with each complete line, without its line feed (and carriage return), and whether it was cut off.
    mutating func feed(_ bytes: UnsafeRawBufferPointer, line: (UnsafeRawBufferPointer, _ wasCut: Bool) -> Void) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            take(UnsafeRawBufferPointer(rebasing: rest[rest.startIndex..<end]), line)
            if skipping {
                skipping = false
            } else if partial.isEmpty {
                emit(UnsafeRawBufferPointer(rebasing: rest[rest.startIndex..<end]), line)
            } else {
                partial.withUnsafeBytes { emit($0, line) }
                partial.removeAll(keepingCapacity: partial.capacity <= 1024)
            }
            rest = rest[(end + 1)...]
        }
        take(UnsafeRawBufferPointer(rebasing: rest), line, isOpen: true)
    }

    /// The stream ended: what came since the last line feed is a line, too.
    mutating func finish(line: (UnsafeRawBufferPointer, _ wasCut: Bool) -> Void) {
        if !partial.isEmpty { partial.withUnsafeBytes { emit($0, line) } }
        partial = []
        skipping = false
    }

    /// Keeps a piece of a line for later, or hands out the line's beginning once it is too long.
    private mutating func take(
        _ piece: UnsafeRawBufferPointer, _ line: (UnsafeRawBufferPointer, Bool) -> Void, isOpen: Bool = false
    ) {
        guard !skipping else { return }
        if partial.count + piece.count > Self.maxLine {
            partial.append(contentsOf: piece.prefix(Self.maxLine - partial.count))
            partial.withUnsafeBytes { line($0, true) }
            partial = []
            skipping = true
        } else if isOpen || !partial.isEmpty {
            partial.append(contentsOf: piece)
        }
    }

    private func emit(_ bytes: UnsafeRawBufferPointer, _ line: (UnsafeRawBufferPointer, Bool) -> Void) {
        let end = bytes.last == UInt8(ascii: "\r") ? bytes.count - 1 : bytes.count
        line(UnsafeRawBufferPointer(rebasing: bytes[..<end]), false)
    }
}
