import Glibc

/// Carries out a plan's steps.
enum InstallWork {
    static func perform(_ step: InstallStep) throws(InstallRefusal) {
        switch step {
        case .keep: break
        case .makeDirectory(let path): try makeDirectory(path)
        case .write(let path, let text):
            try makeDirectory(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
            try write(path, text)
        case .remove(let path):
            guard unlink(path) == 0 || errno == ENOENT else { throw failure("remove \(path)") }
        case .removeTree(let path):
            guard ChildCommand.run(["rm", "-rf", "--", path]) == 0 else {
                throw InstallRefusal(message: "\(path) could not be removed.", status: .unwell)
            }
        case .removeEmptyDirectory(let path):
            guard rmdir(path) == 0 || [ENOENT, ENOTEMPTY, EEXIST].contains(errno) else {
                throw failure("remove \(path)")
            }
        case .run(let command, let consequence):
            let status = ChildCommand.run(command, isQuiet: consequence == nil)
            if let consequence, status != 0 {
                throw InstallRefusal(
                    message: "`\(command.joined(separator: " "))` failed (status \(status)). \(consequence)",
                    status: .unwell)
            }
        }
    }

    private static func makeDirectory(_ path: String) throws(InstallRefusal) {
        var current = ""
        for name in path.split(separator: "/") {
            current += "/\(name)"
            guard mkdir(current, 0o755) == 0 || errno == EEXIST else { throw failure("make the folder \(current)") }
        }
    }

    /// Replaces the file in one step, so that nobody sees a part of it.
    private static func write(_ path: String, _ text: String) throws(InstallRefusal) {
        let new = "\(path).wsctl-new"
        unlink(new)
        let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure("write \(path)") }
        defer { close(descriptor) }
        do {
            try Output(descriptor: descriptor).write(Array(text.utf8))
        } catch {
            unlink(new)
            throw InstallRefusal(message: "wsctl cannot write \(path): the disk may be full.", status: .unwell)
        }
        // Whatever the umask.
        guard fchmod(descriptor, 0o644) == 0, fsync(descriptor) == 0, rename(new, path) == 0 else {
            let error = failure("write \(path)")
            unlink(new)
            throw error
        }
    }

    private static func failure(_ what: String) -> InstallRefusal {
        InstallRefusal(message: "wsctl cannot \(what): \(String(cString: strerror(errno))).", status: .unwell)
    }
}
