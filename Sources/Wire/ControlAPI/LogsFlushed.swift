/// Answer of `POST /v1/logs/flush`: what was let go.
package struct LogsFlushed: Codable, Sendable, Equatable {
    /// Names; `nil`: all there are or were.
    package var programs: [String]?
    /// Lines, and bytes that they took in memory.
    package var lines: Int
    package var memory: Int
    /// Files that held something, and the bytes in them.
    package var files: Int
    package var bytes: Int

    package init(programs: [String]?, lines: Int, memory: Int, files: Int, bytes: Int) {
        self.programs = programs
        self.lines = lines
        self.memory = memory
        self.files = files
        self.bytes = bytes
    }
}
