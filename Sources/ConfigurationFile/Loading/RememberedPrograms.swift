import Glibc
import Model
import Yams

/// Programs that were started at run time, as they are kept in a file over restarts of the service.
package struct RememberedPrograms: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        package var configuration: ProgramConfiguration
        /// It is to run.
        package var isWanted: Bool
        /// Counts from 1; `nil`: none was given yet.
        package var number: Int?

        package init(configuration: ProgramConfiguration, isWanted: Bool, number: Int?) {
            self.configuration = configuration
            self.isWanted = isWanted
            self.number = number
        }
    }

    package var entries: [Entry]

    package init(_ entries: [Entry] = []) {
        self.entries = entries
    }

    /// Largest file, bytes.
    package static let sizeMax = 16 << 20
    /// Damaged files that are kept aside.
    package static let brokenMax = 100
    private static let version = 1

    /// What the file holds: JSON, one program a line.
    package var text: String {
        let lines = entries.map { entry in
            let number = entry.number.map { ",\"number\":\($0)" } ?? ""
            return "{\"wanted\":\(entry.isWanted)\(number),\"entry\":\(ProgramEntry.text(entry.configuration))}"
        }
        return "{\"version\":\(Self.version),\"programs\":[\n\(lines.joined(separator: ",\n"))\n]}\n"
    }

    /// What was found in a file.
    package struct Loaded: Sendable, Equatable {
        package var programs = RememberedPrograms()
        /// Sentences.
        package var warnings: [String] = []
        /// The file holds what was not read, and must not be written over: why, a sentence. `nil`: it may.
        package var obstacle: String?
    }

    /// Reads a file; one that is missing holds nothing. What cannot be read is left out: the file is then put aside as
    /// `PATH.broken-1` and so on, the rest is written anew, and sentences say so. A file that others can write to is not read.
    package static func load(from path: String) -> Loaded {
        let bytes: [UInt8]
        do throws(RememberedProgramsError) {
            guard let found = try contents(of: path) else { return Loaded() }
            bytes = found
        } catch {
            return Loaded(
                warnings: ["\(error) Programs that were started at run time are not started."],
                obstacle: "\(error) It is not written over: put that right and restart wsd, or move it away.")
        }
        let (programs, faults) =
            bytes.count > sizeMax
            ? (RememberedPrograms(), ["it is larger than \(sizeMax) bytes"])
            : read(String(decoding: bytes, as: UTF8.self))
        guard !faults.isEmpty else { return Loaded(programs: programs) }
        guard let aside = putAside(path) else {
            let place = "It could not be put aside, and is not written over."
            let warnings = faults.map { "\(path): \($0). \(place)" }
            return Loaded(
                programs: programs, warnings: warnings,
                obstacle: "\(warnings[0]) Move it away (and older \(path).broken-1 and so on, of which "
                    + "\(brokenMax) are kept).")
        }
        // Else the next change writes it.
        if !programs.entries.isEmpty { try? programs.save(to: path) }
        return Loaded(programs: programs, warnings: faults.map { "\(path): \($0). It is kept as \(aside)." })
    }

    /// The programs in a text, and what is wrong with it.
    static func read(_ text: String) -> (RememberedPrograms, [String]) {
        guard let root = try? JSONNode.read(text).mapping, let list = root["programs"]?.sequence else {
            return (RememberedPrograms(), ["no list of programs can be read from it"])
        }
        guard let written = root["version"]?.string.flatMap({ Int($0) }), written == version else {
            let shown = ShownText.plain(root["version"]?.string ?? "none")
            return (RememberedPrograms(), ["its version is \(shown), and this program reads \(version)"])
        }
        var programs = RememberedPrograms()
        var faults: [String] = []
        var names: Set<String> = []
        for (index, node) in list.enumerated() {
            guard let entry = node.mapping?["entry"] else {
                faults.append("programs[\(index)] has no entry")
                continue
            }
            do throws(ConfigurationErrors) {
                let configuration = try ProgramEntry.parse(entry, defaults: nil)
                guard names.insert(configuration.name).inserted else {
                    faults.append("programs[\(index)] has the name \(configuration.name), as another one has")
                    continue
                }
                let number = node.mapping?["number"]?.string.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
                let isWanted = node.mapping?["wanted"]?.string != "false"
                programs.entries.append(Entry(configuration: configuration, isWanted: isWanted, number: number))
            } catch {
                let reasons = error.problems.map { "\($0.place): \($0.message)" }.joined(separator: "; ")
                faults.append("programs[\(index)] is left out: \(reasons)")
            }
        }
        return (programs, faults)
    }

    /// Writes the file whole, or leaves the old one; returns when it is on disk. Its mode is 0600: it may hold secrets.
    package func save(to path: String) throws(RememberedProgramsError) {
        let fresh = "\(path).new"
        guard !path.utf8.contains(0) else { throw RememberedProgramsError("\(path) is no path.") }
        // A file that somebody else has put there is not written to.
        unlink(fresh)
        let descriptor = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw RememberedProgramsError(path, "cannot be written", errno) }
        defer { close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count >= 0 || errno == EINTR else { throw fail(fresh, path) }
            rest = rest.dropFirst(max(0, count))
        }
        guard fsync(descriptor) == 0, rename(fresh, path) == 0 else { throw fail(fresh, path) }
        // Only then a loss of power does not bring the old one back.
        let end = path.lastIndex(of: "/") ?? path.startIndex
        let folder = end == path.startIndex ? (path.hasPrefix("/") ? "/" : ".") : String(path[..<end])
        let parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard parent >= 0 else { return }
        fsync(parent)
        close(parent)
    }

    private func fail(_ fresh: String, _ path: String) -> RememberedProgramsError {
        let number = errno
        unlink(fresh)
        return RememberedProgramsError(path, "cannot be written", number)
    }

    /// No more than one byte beyond ``sizeMax`` says that there is more. `nil`: it is missing.
    private static func contents(of path: String) throws(RememberedProgramsError) -> [UInt8]? {
        guard !path.utf8.contains(0) else { return nil }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            if errno == ELOOP { throw RememberedProgramsError("\(path) cannot be read: it is a symbolic link.") }
            throw RememberedProgramsError(path, "cannot be read", errno)
        }
        defer { close(descriptor) }
        try checkIsOurs(descriptor, path)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= sizeMax {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            guard count > 0 || errno == EINTR else { throw RememberedProgramsError(path, "cannot be read", errno) }
            bytes += chunk[..<max(0, count)]
        }
        return bytes
    }

    /// Its programs run as whom they name: nobody else may have written it.
    private static func checkIsOurs(_ descriptor: Int32, _ path: String) throws(RememberedProgramsError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw RememberedProgramsError(path, "cannot be read", errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw RememberedProgramsError("\(path) cannot be read: it is no regular file.")
        }
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            throw RememberedProgramsError("\(path) is not read: it belongs to another user (\(status.st_uid)).")
        }
        guard status.st_mode & 0o022 == 0 else {
            let mode = String(status.st_mode & 0o777, radix: 8)
            throw RememberedProgramsError("\(path) is not read: others may write to it (mode 0\(mode)).")
        }
    }

    /// Renames it to the first free name.
    private static func putAside(_ path: String) -> String? {
        for number in 1...brokenMax {
            let aside = "\(path).broken-\(number)"
            // rename(2) would replace another one; link(2) does not.
            if link(path, aside) == 0 {
                if unlink(path) == 0 { return aside }
                unlink(aside)
                return nil
            }
            if errno == EEXIST { continue }
            // A file system without hard links.
            return access(aside, F_OK) != 0 && rename(path, aside) == 0 ? aside : nil
        }
        return nil
    }
}

/// Why the file of remembered programs cannot be used: a sentence.
package struct RememberedProgramsError: Error, Sendable, Equatable, CustomStringConvertible {
    package var description: String

    init(_ description: String) {
        self.description = description
    }

    init(_ path: String, _ what: String, _ number: Int32) {
        description = "\(path) \(what): \(String(cString: strerror(number)))."
    }
}
