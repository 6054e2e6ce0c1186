import Glibc

/// Finds the file of a command and executes it, as execvp(3) does with the program's own `PATH`.
struct ProgramSearch {
    /// Where there is no `PATH`.
    static let defaultPath = "/usr/local/bin:/usr/bin:/bin"

    private let command: String
    private let path: String
    private let files: CStrings
    private let arguments: CStrings
    /// `sh FILE ARGUMENTS…`, for each file.
    private let shells: [CStrings]
    private let environment: CStrings

    init(_ command: [String], _ environment: [String]) {
        self.command = command.first ?? ""
        path = environment.first { $0.hasPrefix("PATH=") }.map { String($0.dropFirst(5)) } ?? Self.defaultPath
        let names = Self.files(of: self.command, path: path)
        files = CStrings(names)
        arguments = CStrings(command)
        shells = names.map { CStrings(["sh", $0] + command.dropFirst()) }
        self.environment = CStrings(environment)
    }

    static func files(of command: String, path: String) -> [String] {
        guard !command.contains("/"), !command.isEmpty else { return [command] }
        return path.split(separator: ":", omittingEmptySubsequences: false).map { folder in
            folder.isEmpty ? "./\(command)" : "\(folder)/\(command)"
        }
    }

    /// Returns only when that failed. Takes no memory before.
    func execute() -> ProgramFailure {
        var denied: Int?
        for index in 0..<files.count {
            execve(files[index], arguments.pointers, environment.pointers)
            var code = errno
            if code == ENOEXEC {
                // A script that does not say by whom it is to be read.
                execve("/bin/sh", shells[index].pointers, environment.pointers)
                code = errno
            }
            switch code {
            case ENOENT where access(files[index], F_OK) == 0: return noInterpreter(index)
            case ENOENT, ENOTDIR, ENODEV, ESTALE, ETIMEDOUT: continue
            case EACCES: denied = denied ?? index
            case E2BIG: return ProgramFailure("its arguments and environment are too long together")
            case EAGAIN: return ProgramFailure("its user has as many processes as the limit nproc allows")
            case ENOMEM: return ProgramFailure("there is not enough memory to start “\(command)”")
            default: return ProgramFailure("“\(name(index))” cannot be executed: \(SystemError.reason(of: code))")
            }
        }
        if let denied { return noPermission(denied) }
        if command.isEmpty { return ProgramFailure("the command is empty") }
        return ProgramFailure(
            command.contains("/")
                ? "there is no file “\(command)”" : "there is no program “\(command)” in PATH (\(path))")
    }

    private func name(_ index: Int) -> String { String(cString: files[index]) }

    private func noInterpreter(_ index: Int) -> ProgramFailure {
        let head = ProcFile.read(name(index), limit: 256) ?? []
        if head.starts(with: "#!".utf8) {
            let line = String(decoding: head.prefix { $0 != 10 }, as: UTF8.self)
            return ProgramFailure(
                "“\(name(index))” cannot be executed: what its first line names does not exist (\(line))")
        }
        return ProgramFailure("“\(name(index))” cannot be executed: the dynamic linker that it asks for does not exist")
    }

    private func noPermission(_ index: Int) -> ProgramFailure {
        let file = name(index)
        var status = stat()
        guard stat(file, &status) == 0 else {
            return ProgramFailure("“\(file)” cannot be reached by its user: \(SystemError.reason(of: errno))")
        }
        if status.st_mode & S_IFMT == S_IFDIR { return ProgramFailure("“\(file)” is a folder, no program") }
        return ProgramFailure(
            "“\(file)” may not be executed: make it executable (chmod +x), or name its interpreter before it")
    }
}

/// Strings as execve(2) takes them, for the rest of the process's life.
struct CStrings {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { (pointers + index).initialize(to: strdup(string)) }
        (pointers + count).initialize(to: nil)
    }

    /// One of the strings; ends the process for an index that is none.
    subscript(index: Int) -> UnsafeMutablePointer<CChar> {
        guard index < count, let pointer = pointers[index] else { preconditionFailure("There are \(count) strings.") }
        return pointer
    }
}
