import Glibc
import Model
import Supervision

/// What a program's process is started with.
struct ProgramEnvironment: Equatable {
    /// By name.
    var values: [String: String]
    /// Names that the program's own configuration sets.
    var own: Set<String>

    /// Bytes of one environment file.
    static let maxFile = 1024 * 1024

    /// The supervisor's own environment without what is meant for wsd alone, then what wsd tells the process of itself, then
    /// the files, then `environment`: the later wins.
    ///
    /// - Parameter isOtherUser: it does not run as the supervisor's user, whose session and folders are not its own.
    /// - Throws: a sentence about a file.
    init(
        supervisor: [String: String], process: ProgramProcessID, controlSocket: String,
        configuration: ProgramConfiguration, isOtherUser: Bool = false
    ) throws(ProgramSystemError) {
        values = supervisor.filter { !Self.isSupervisors($0.key) && !(isOtherUser && Self.isUsers($0.key)) }
        // As a shell that was in that folder would have it.
        if values["PWD"] != nil, let folder = configuration.folder { values["PWD"] = folder }
        values["WSD_SOCKET"] = controlSocket
        // By which a wsd that is a program knows the socket above from one that is meant to be its own.
        values["WSD_SUPERVISOR"] = controlSocket
        values["WSD_PROGRAM"] = process.program
        values["WSD_NUMBER"] = String(process.number)
        // As PM2 counts them.
        values["NODE_APP_INSTANCE"] = String(process.number - 1)
        var assignments: [(name: String, value: String)] = []
        for path in configuration.environmentFiles {
            guard let text = try Self.read(path) else { continue }
            assignments += try Self.parse(text, path: path)
        }
        for assignment in configuration.environment {
            guard let equals = assignment.firstIndex(of: "="), equals != assignment.startIndex else { continue }
            assignments.append(
                (String(assignment[..<equals]), String(assignment[assignment.index(after: equals)...])))
        }
        own = Set(assignments.map(\.name))
        for (name, value) in assignments { values[name] = value }
    }

    /// Meant for wsd alone: what configures it (keys among it), and what systemd told it (systemd.exec(5), sd_notify(3),
    /// sd_listen_fds(3), sd_watchdog_enabled(3)).
    private static func isSupervisors(_ name: String) -> Bool {
        systemdNames.contains(name)
            || ["WSD_", "LISTEN_", "WATCHDOG_", "MEMORY_PRESSURE_"].contains(where: name.hasPrefix)
    }

    private static let systemdNames: Set<String> = [
        "NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "MAINPID", "FDSTORE",
        "RUNTIME_DIRECTORY", "STATE_DIRECTORY", "CACHE_DIRECTORY", "LOGS_DIRECTORY", "CONFIGURATION_DIRECTORY",
        "CREDENTIALS_DIRECTORY",
        // Which wsd sets for itself.
        "LIBDISPATCH_LOG",
        // Of the shell that started it.
        "_", "SHLVL", "OLDPWD",
    ]

    /// Belongs to the session or the home folder of one user (pam_systemd(8), the XDG base directories, ssh-agent(1), login(1)).
    private static func isUsers(_ name: String) -> Bool {
        usersNames.contains(name) || name.hasPrefix("XDG_") && name.hasSuffix("_HOME")
    }

    private static let usersNames: Set<String> = [
        "XDG_RUNTIME_DIR", "XDG_SESSION_ID", "XDG_SESSION_TYPE", "XDG_SESSION_CLASS", "XDG_SESSION_DESKTOP",
        "XDG_CURRENT_DESKTOP", "XDG_SEAT", "XDG_VTNR", "DBUS_SESSION_BUS_ADDRESS", "DESKTOP_SESSION", "DISPLAY",
        "WAYLAND_DISPLAY", "XAUTHORITY", "ICEAUTHORITY", "SSH_AUTH_SOCK", "SSH_AGENT_PID", "SSH_CLIENT",
        "SSH_CONNECTION", "SSH_TTY", "GPG_AGENT_INFO", "GNUPGHOME", "MAIL",
        // sudo(8)
        "SUDO_COMMAND", "SUDO_USER", "SUDO_UID", "SUDO_GID",
    ]

    // MARK: - Files

    /// `nil`: it is missing, and may be.
    private static func read(_ configured: String) throws(ProgramSystemError) -> String? {
        let mayBeMissing = configured.hasPrefix("-")
        let path = mayBeMissing ? String(configured.dropFirst()) : configured
        func failure(_ reason: String) -> ProgramSystemError {
            ProgramSystemError(description: "the environment file \(path) cannot be read: \(reason)")
        }
        // A pipe without a writer would be waited for.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT, mayBeMissing { return nil }
            throw failure(String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw failure("it is no file")
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            guard count >= 0 else { throw failure(String(cString: strerror(errno))) }
            guard count > 0 else { break }
            bytes += buffer[..<count]
            guard bytes.count <= maxFile else { throw failure("it has more than \(maxFile) bytes") }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Lines `NAME=value`, with or without `export` before them; a value may stand in quotes, in double ones with `\n`, `\"`,
    /// `\\` and `\$`; `#` begins a comment at the beginning of a line and behind a blank.
    static func parse(_ text: String, path: String) throws(ProgramSystemError) -> [(name: String, value: String)] {
        var assignments: [(name: String, value: String)] = []
        // Not by characters: CR and LF together are one.
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, scalars) in lines.enumerated() {
            var line = trimmed(Substring(scalars))
            guard let first = line.first, first != "#" else { continue }
            func failure(_ what: String) -> ProgramSystemError {
                let file = path.hasPrefix("-") ? String(path.dropFirst()) : path
                return ProgramSystemError(description: "\(file), line \(index + 1): \(what)")
            }
            if line.hasPrefix("export "), let equals = line.firstIndex(of: "="), equals > line.startIndex {
                line = trimmed(line.dropFirst("export ".count))
            }
            guard let equals = line.firstIndex(of: "="), isName(trimmed(line[..<equals])) else {
                throw failure("this is not NAME=value")
            }
            let raw = trimmed(line[line.index(after: equals)...])
            guard let value = value(raw) else {
                throw failure("the quotation mark is not closed, or something stands behind it")
            }
            guard !value.unicodeScalars.contains("\0") else { throw failure("a value cannot hold a NUL") }
            assignments.append((String(trimmed(line[..<equals])), value))
        }
        return assignments
    }

    private static func isName(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return text.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "_")
        }
    }

    /// `nil`: a quotation mark is not closed, or more than a comment stands behind it.
    private static func value(_ raw: Substring) -> String? {
        guard let quote = raw.first, quote == "\"" || quote == "'" else { return plain(raw) }
        var value = ""
        var rest = raw.dropFirst()
        while let character = rest.popFirst() {
            if character == quote {
                let behind = trimmed(rest)
                return behind.isEmpty || behind.hasPrefix("#") ? value : nil
            }
            guard character == "\\", quote == "\"", let escaped = rest.first else {
                value.append(character)
                continue
            }
            switch escaped {
            case "n": value.append("\n")
            case "t": value.append("\t")
            case "\"", "\\", "$", "`": value.append(escaped)
            default: value += "\\\(escaped)"
            }
            rest = rest.dropFirst()
        }
        return nil
    }

    private static func plain(_ raw: Substring) -> String {
        var previous: Character?
        for index in raw.indices {
            if raw[index] == "#", previous == nil || previous == " " || previous == "\t" {
                return String(trimmed(raw[..<index]))
            }
            previous = raw[index]
        }
        return String(raw)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first == " " || first == "\t" || first == "\r" { text = text.dropFirst() }
        while let last = text.last, last == " " || last == "\t" || last == "\r" { text = text.dropLast() }
        return text
    }
}
