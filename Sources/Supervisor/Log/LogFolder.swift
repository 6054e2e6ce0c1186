import Glibc
import LinuxSystem
import Model
import Synchronization

/// The folder of log files: one for each program, and the service's own. All of it is bounded together; files of others that lie
/// there are left alone, whatever their names (``LogFolderIndex``).
///
/// Everything but ``trouble`` runs on the writer's thread.
final class LogFolder: LogDestination {
    /// Descriptors kept open, fewer where the process may have few: above it those that were not written to last are closed.
    static let maxOpen = min(64, max(4, ((try? DescriptorLimit.current.soft) ?? DescriptorLimit.usual) / 16))
    /// The service's own file; no program has this name.
    static let own = "wsd"
    /// What is let go beyond the bound, as a share of it, so that not every line has to look.
    private static let slack = 16

    struct Limits: Sendable, Equatable {
        var rotation: LogRotation
        var total: Int

        init(rotation: LogRotation, total: Int) {
            self.rotation = rotation
            self.total = total
            self.rotation.maxSize = min(rotation.maxSize, total / 4)
        }

        init(_ configuration: LogConfiguration) {
            self.init(rotation: LogRotation(configuration), total: configuration.filesTotal)
        }

        /// A file and its compressed copy are there together for a while.
        var bound: Int { rotation.compress ? total - rotation.maxSize : total }
    }

    private struct State {
        var limits: Limits
        /// Holds the lock on the folder.
        var folder: Int32 = -1
        /// Which files are ours; `nil`: the folder was not looked at.
        var index: LogFolderIndex?
        var files: [String: RotatedFile] = [:]
        /// Bytes of all files, at most: rotation may have let some go.
        var used = 0
        /// Lines of one write, by file.
        var batch: [String: [UInt8]] = [:]
    }

    let path: String
    private let state: Mutex<State>
    private let report = Mutex(Report())

    private struct Report {
        var reason: String?
        var failures = 0
        var obstacle: String?
    }

    init(path: String, _ limits: Limits) {
        self.path = path
        state = Mutex(State(limits: limits))
    }

    deinit {
        state.withLock { if $0.folder >= 0 { close($0.folder) } }
    }

    /// Why the last write failed; `nil`: it did not.
    var trouble: String? { report.withLock { $0.reason } }

    /// The file that cannot be rotated, and why: what was written last.
    var obstacle: String? { report.withLock { $0.obstacle } }

    /// Writes that failed since this was last asked.
    func takeFailures() -> Int {
        report.withLock { report in
            defer { report.failures = 0 }
            return report.failures
        }
    }

    func configure(_ limits: Limits) {
        state.withLock { state in
            guard limits != state.limits else { return }
            state.limits = limits
            state.files.values.forEach { $0.configure(limits.rotation) }
            if state.folder >= 0 { trim(&state, for: 0) }
        }
    }

    // MARK: - Writing

    /// A line with the name of its file, as ``write(_:)`` takes it. Names have 255 bytes at most.
    static func frame(_ line: String, for name: String) -> [UInt8] {
        var line = line
        return line.withUTF8 { text in
            var frame: [UInt8] = []
            frame.reserveCapacity(5 + name.utf8.count + text.count)
            withUnsafeBytes(of: UInt32(text.count)) { frame += $0 }
            frame.append(UInt8(name.utf8.count))
            frame += name.utf8
            frame += text
            return frame
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        state.withLock { state in
            gather(bytes, &state)
            defer { state.batch = [:] }
            letGoOfRemoved(&state)
            if let reason = prepare(&state) { return fail(reason) }
            if state.used + bytes.count > state.limits.bound { trim(&state, for: bytes.count) }
            closeIdle(&state)
            var reason: String?
            var obstacle: String?
            for (name, text) in state.batch {
                do throws(LogFolderTrouble) {
                    let file = try file(name, &state)
                    text.withUnsafeBytes(file.write)
                    state.used += text.count
                    reason = reason ?? file.trouble.map { "\(name).log: \($0)" }
                    obstacle = obstacle ?? file.obstacle.map { "\(name).log: \($0)" }
                    if state.files.count > Self.maxOpen { state.files[name] = nil }
                } catch {
                    reason = reason ?? error.reason
                }
            }
            report.withLock { $0.obstacle = obstacle }
            if let reason { return fail(reason) }
            report.withLock { $0.reason = nil }
        }
    }

    func reopen() {
        state.withLock { letGo(&$0) }
    }

    private func letGo(_ state: inout State) {
        state.files = [:]
        if state.folder >= 0 { close(state.folder) }
        (state.folder, state.index) = (-1, nil)
    }

    /// Somebody removed or moved the folder: it is made anew.
    private func letGoOfRemoved(_ state: inout State) {
        var (held, found) = (stat(), stat())
        guard state.folder >= 0, fstat(state.folder, &held) == 0 else { return }
        if stat(path, &found) == 0, (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino) { return }
        letGo(&state)
    }

    private func gather(_ bytes: UnsafeRawBufferPointer, _ state: inout State) {
        var rest = bytes
        var name: UnsafeRawBufferPointer?
        var key = ""
        while rest.count > 5 {
            let (length, nameLength) = (Int(rest.loadUnaligned(as: UInt32.self)), Int(rest[4]))
            let end = 5 + nameLength + length
            guard rest.count >= end else { return }
            let next = UnsafeRawBufferPointer(rebasing: rest[5..<(5 + nameLength)])
            if name.map({ !$0.elementsEqual(next) }) ?? true {
                name = next
                key = String(decoding: next, as: UTF8.self)
            }
            state.batch[key, default: []].append(contentsOf: rest[(5 + nameLength)..<end])
            rest = UnsafeRawBufferPointer(rebasing: rest[end...])
        }
    }

    /// Sees to it that the folder is there, and ours. Returns what is wrong.
    private func prepare(_ state: inout State) -> String? {
        guard state.folder < 0 else { return nil }
        for (index, byte) in zip(path.indices, path) where byte == "/" && index != path.startIndex {
            mkdir(String(path[..<index]), 0o700)
        }
        mkdir(path, 0o750)
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return String(cString: strerror(errno)) }
        guard flock(folder, LOCK_EX | LOCK_NB) == 0 else {
            let isTaken = errno == EWOULDBLOCK
            let reason = String(cString: strerror(errno))
            close(folder)
            return isTaken ? "another wsd keeps its files there" : reason
        }
        do throws(LogFolderTrouble) {
            state.index = try LogFolderIndex(folder: path)
        } catch {
            close(folder)
            return error.reason
        }
        state.folder = folder
        trim(&state, for: 0)
        return nil
    }

    private func file(_ name: String, _ state: inout State) throws(LogFolderTrouble) -> RotatedFile {
        if let file = state.files[name] { return file }
        try state.index?.add(name)
        let file = RotatedFile(path: "\(path)/\(name).log", state.limits.rotation, isPlain: true)
        state.files[name] = file
        return file
    }

    private func closeIdle(_ state: inout State) {
        guard state.files.count + state.batch.count > Self.maxOpen else { return }
        state.files = state.files.filter { state.batch[$0.key] != nil }
    }

    private func fail(_ reason: String) {
        report.withLock { report in
            report.reason = reason
            report.failures += 1
        }
    }

    // MARK: - Letting go

    /// Counts anew, and lets files go until there is room for so many bytes.
    private func trim(_ state: inout State, for bytes: Int) {
        var owners: [String: (files: ArraySlice<LogFolderFile>, bytes: Int)] = [:]
        var used = 0
        for file in own(state).sorted(by: { ($0.time, $0.name) < ($1.time, $1.name) }) {
            owners[file.owner, default: ([], 0)].files.append(file)
            owners[file.owner, default: ([], 0)].bytes += file.size
            used += file.size
        }
        defer { state.used = used }
        guard used + bytes > state.limits.bound else { return }
        let target = max(0, state.limits.bound - bytes - state.limits.bound / Self.slack)
        while used > target, let owner = owners.max(by: { $0.value.bytes < $1.value.bytes })?.key,
            let oldest = owners[owner]?.files.first
        {
            remove(oldest, &state)
            owners[owner]?.files.removeFirst()
            owners[owner]?.bytes -= oldest.size
            if owners[owner]?.files.isEmpty == true { owners[owner] = nil }
            used -= oldest.size
        }
    }

    private func own(_ state: State) -> [LogFolderFile] {
        guard let index = state.index else { return [] }
        return LogFolderFile.all(in: path).filter(index.has)
    }

    private func remove(_ file: LogFolderFile, _ state: inout State) {
        // One that is written to is let go of as well: the next line begins it anew.
        if file.isCurrent { state.files[file.owner] = nil }
        unlink("\(path)/\(file.name)")
    }

    /// Removes the files of these programs; `nil`: of all.
    func clear(_ programs: Set<String>?) -> (files: Int, bytes: Int) {
        state.withLock { state in
            // Another one's files are not ours to remove.
            letGoOfRemoved(&state)
            guard prepare(&state) == nil else { return (0, 0) }
            var cleared = (files: 0, bytes: 0)
            for file in own(state)
            where file.owner != Self.own && programs?.contains(file.owner) ?? true {
                remove(file, &state)
                state.used -= file.size
                if file.size > 0 { cleared.files += 1 }
                cleared.bytes += file.size
            }
            return cleared
        }
    }
}
