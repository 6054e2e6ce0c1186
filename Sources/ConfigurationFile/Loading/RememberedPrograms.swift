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

    /// Reads a file; one that is missing holds nothing. What cannot be read is left out: the file is then put aside as
    /// `PATH.broken-1` and so on, the rest is written anew, and sentences say so.
    package static func load(from path: String) -> (programs: RememberedPrograms, warnings: [String]) {
        let bytes: [UInt8]
        do throws(RememberedProgramsError) {
            guard let found = try contents(of: path) else { return (RememberedPrograms(), []) }
            bytes = found
        } catch {
            return (RememberedPrograms(), ["\(error) Programs that were started at run time are not started."])
        }
        let (programs, faults) = read(String(decoding: bytes, as: UTF8.self))
        guard !faults.isEmpty else { return (programs, []) }
        let aside = putAside(path)
        // Else the next change writes it.
        if aside != nil, !programs.entries.isEmpty { try? programs.save(to: path) }
        let place = aside.map { "It is kept as \($0)." } ?? "It could not be put aside."
        return (programs, faults.map { "\(path): \($0). \(place)" })
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

    /// `nil`: it is missing.
    private static func contents(of path: String) throws(RememberedProgramsError) -> [UInt8]? {
        guard !path.utf8.contains(0) else { return nil }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw RememberedProgramsError(path, "cannot be read", errno)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= sizeMax {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            guard count > 0 || errno == EINTR else { throw RememberedProgramsError(path, "cannot be read", errno) }
            bytes += chunk[..<max(0, count)]
        }
        throw RememberedProgramsError(path, "is too large", EFBIG)
    }

    /// Renames it to the first free name.
    private static func putAside(_ path: String) -> String? {
        for number in 1...brokenMax {
            let aside = "\(path).broken-\(number)"
            // rename(2) would replace another one; link(2) does not.
            if link(path, aside) == 0 { return unlink(path) == 0 ? aside : nil }
            guard errno == EEXIST else { return nil }
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
