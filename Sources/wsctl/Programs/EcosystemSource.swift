import ControlClient
import Ecosystem
import Glibc
import Wire

/// A file of PM2, and what of this machine it depends on.
struct EcosystemSource {
    let text: String
    /// As it was named; `-` is standard input.
    let name: String
    /// Absolute: where its relative paths begin.
    let folder: String

    /// Reads a file, or standard input for `-`, whose relative paths begin in the present folder.
    init(_ name: String, folder current: String) throws {
        self.name = name
        guard name != "-" else {
            text = try StandardInput.text("file")
            folder = current
            return
        }
        let path = StartPlan.absolute(name, from: current)
        let bytes = try Self.read(path, shown: name)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Self.complaint("\(PlainText.harmless(name)) is not UTF-8.")
        }
        self.text = text
        folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? current
    }

    /// - Parameter environment: the caller's. With `isPrinted` its `PATH` goes only with programs that no service would find:
    ///   what is printed may be for another machine.
    func converted(
        for chosen: String?, environment: [String: String], isPrinted: Bool
    ) throws -> EcosystemImport {
        let path = environment["PATH"].flatMap { $0.isEmpty ? nil : $0 }
        let host = EcosystemHost(
            folder: folder, cores: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))), script: Self.script,
            path: { program in isPrinted && Self.isUsual(program) ? nil : path })
        do throws(EcosystemError) {
            return try EcosystemImport(text, name: name, environment: chosen, host: host)
        } catch {
            let description = "\(error)"
            throw Self.complaint("\(PlainText.harmless(name)): \(description)")
        }
    }

    /// Where the `PATH` of a service has its programs.
    private static let usualFolders = [
        "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
    ]

    private static func isUsual(_ program: String) -> Bool {
        usualFolders.contains { access("\($0)/\(program)", X_OK) == 0 }
    }

    /// Binaries begin with the mark of ELF (elf(5)), scripts with `#!` (execve(2)).
    private static func script(_ path: String) -> EcosystemHost.Script {
        guard case .file(let isExecutable) = WorkingFolder.kind(path) else { return .missing }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return .executable }
        defer { close(descriptor) }
        var head = [UInt8](repeating: 0, count: 4)
        let count = Glibc.read(descriptor, &head, head.count)
        let begins = head.prefix(max(0, count))
        if begins.starts(with: [0x7F, 0x45, 0x4C, 0x46]) { return .executable }
        return isExecutable && begins.starts(with: Array("#!".utf8)) ? .executable : .plain
    }

    private static func read(_ path: String, shown: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(shown) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(shown) }
            if count == 0 { return bytes }
            bytes += piece[..<count]
            guard bytes.count <= EcosystemLimits.bytes else {
                throw complaint("\(PlainText.harmless(shown)) is larger than 4 MiB.")
            }
        }
    }

    private static func unreadable(_ shown: String) -> ControlClientError {
        complaint("\(PlainText.harmless(shown)) cannot be read: \(String(cString: strerror(errno))).")
    }

    private static func complaint(_ message: String) -> ControlClientError {
        .refused(status: 400, ControlError(code: "bad_request", message: message))
    }
}
