import Glibc

/// Why standard output takes no more.
enum OutputError: Error, Equatable {
    /// Nobody reads any more (`EPIPE`): `wsctl logs | head`. Not a failure.
    case closed
    /// An `errno`: the disk is full, say.
    case failed(Int32)
}

/// Writes whole lines to a descriptor at once, without a buffer of its own.
struct Output: Sendable {
    let descriptor: Int32

    static let standard = Output(descriptor: STDOUT_FILENO)
    static let error = Output(descriptor: STDERR_FILENO)

    func line(_ text: String) throws(OutputError) {
        try write(Array((text + "\n").utf8))
    }

    func lines(_ lines: [String]) throws(OutputError) {
        guard !lines.isEmpty else { return }
        try line(lines.joined(separator: "\n"))
    }

    /// JSON as it came from the service, with one line end; nothing in it can move a cursor.
    func json(_ bytes: [UInt8]) throws(OutputError) {
        let bytes = HarmlessJSON.of(bytes)
        try write(bytes.last == UInt8(ascii: "\n") ? bytes : bytes + [UInt8(ascii: "\n")])
    }

    func write(_ bytes: [UInt8]) throws(OutputError) {
        var offset = 0
        while offset < bytes.count {
            let written = bytes[offset...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written >= 0 {
                offset += written
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&waiting, 1, -1)
            case EPIPE: throw .closed
            default: throw .failed(errno)
            }
        }
    }
}

extension Style {
    /// For standard output: colours on a terminal only, unless `NO_COLOR` (no-color.org) or `TERM=dumb` forbids them.
    static func ofStandardOutput(_ environment: [String: String]) -> Style {
        var size = winsize()
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let known = isTerminal && ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        let columns = known ? Int(size.ws_col) : environment["COLUMNS"].flatMap(Int.init) ?? (isTerminal ? 80 : 200)
        let forbidden = environment["NO_COLOR"].map { !$0.isEmpty } ?? false || environment["TERM"] == "dumb"
        return Style(coloured: isTerminal && !forbidden, width: min(max(columns, 40), 1000))
    }
}

/// The environment as a dictionary, without Foundation.
enum Environment {
    static func variables() -> [String: String] {
        var result: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let pair = String(cString: text)
            if let equals = pair.firstIndex(of: "=") {
                result[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
            }
            entry += 1
        }
        return result
    }
}
