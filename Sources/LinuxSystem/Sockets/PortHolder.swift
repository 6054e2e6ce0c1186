import Glibc

/// Finds the process that listens on a TCP port, for the error message: the socket's inode from `/proc/net/tcp` (proc(5)), then
/// the process that has it open. Other users' processes can be looked into by root alone.
enum PortHolder {
    /// Bytes of a table that are read at most (about 28,000 sockets), and processes that are looked into.
    static let maxTable = 4 * 1024 * 1024
    static let maxProcesses = 100_000

    static func find(port: UInt16, address: NumericAddress) -> ProcessName? {
        var inodes: [String] = []
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            guard let text = ProcFile.text(table, limit: maxTable) else { continue }
            inodes += listeners(in: text, port: port, conflictingWith: address)
        }
        return inodes.isEmpty ? nil : process(holding: Set(inodes.map { "socket:[\($0)]" }))
    }

    /// Inodes of the listening sockets in a table whose address excludes the given one.
    static func listeners(in table: String, port: UInt16, conflictingWith address: NumericAddress) -> [String] {
        let listening = "0A"
        return table.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == listening else { return nil }
            let local = fields[1].split(separator: ":")
            guard local.count == 2, UInt16(local[1], radix: 16) == port, let other = bytes(hexadecimal: local[0]) else {
                return nil
            }
            let conflicts = address.isWildcard || other.isWildcard || other == address
            return conflicts ? String(fields[9]) : nil
        }
    }

    /// The kernel prints an address as 32-bit words in the machine's order.
    private static func bytes(hexadecimal text: Substring) -> NumericAddress? {
        var bytes: [UInt8] = []
        var rest = text
        while !rest.isEmpty {
            guard let word = UInt32(rest.prefix(8), radix: 16) else { return nil }
            withUnsafeBytes(of: word) { bytes.append(contentsOf: $0) }
            rest = rest.dropFirst(8)
        }
        return bytes.count == 4 || bytes.count == 16 ? NumericAddress(bytes: bytes) : nil
    }

    private static func process(holding links: Set<String>) -> ProcessName? {
        guard let processes = opendir("/proc") else { return nil }
        defer { closedir(processes) }
        var seen = 0
        while seen < maxProcesses, let entry = readdir(processes) {
            guard let pid = Int32(ProcFile.name(of: entry)) else { continue }
            seen += 1
            if holds(pid, links) { return ProcessName.of(pid: pid) }
        }
        return nil
    }

    private static func holds(_ pid: Int32, _ links: Set<String>) -> Bool {
        guard let descriptors = opendir("/proc/\(pid)/fd") else { return false }
        defer { closedir(descriptors) }
        while let entry = readdir(descriptors) {
            guard let link = ProcFile.link("/proc/\(pid)/fd/\(ProcFile.name(of: entry))") else { continue }
            if links.contains(link) { return true }
        }
        return false
    }
}
