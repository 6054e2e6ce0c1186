import Wire

/// The processes of the service, one a row.
enum ProcessTable {
    /// Without the figures of clients where the supervisor is alone, which has none.
    static func lines(_ processes: [ProcessStatus], _ style: Style) -> [String] {
        let traffic: [(String, Table.Alignment)] =
            processes.count == 1 ? [] : [("CLIENTS", .right), ("IN/S", .right), ("OUT/S", .right)]
        var table = Table(
            [("NAME", .left), ("STATE", .left), ("PID", .right), ("UPTIME", .right), ("RESTARTS", .right)] + traffic
                + [("CPU%", .right), ("MEMORY", .right)])
        for process in processes { table.add(row(process, withTraffic: !traffic.isEmpty)) }
        return table.lines(style)
    }

    /// What became of the processes that do not run: `worker 2: exited with 1, next start in 3.2 s`.
    ///
    /// - Parameter told: sentences shown already; a process that one of them names is left out.
    static func notes(_ processes: [ProcessStatus], told: [String] = []) -> [String] {
        processes.compactMap { process in
            guard process.state == .backoff || process.state == .failed || process.state == .stopped else { return nil }
            guard !told.contains(where: process.isNamed) else { return nil }
            var parts: [String] = []
            if let exit = process.lastExit { parts.append(PlainText.harmless(exit)) }
            if let wait = process.retryIn { parts.append("next start \(Humanized.wait(wait))") }
            if process.state == .failed, let worker = process.worker {
                parts.append("given up; revive it with `wsctl restart worker:\(worker)`")
            }
            return parts.isEmpty ? nil : "\(PlainText.harmless(process.name)): \(parts.joined(separator: ", "))"
        }
    }

    private static func row(_ process: ProcessStatus, withTraffic: Bool) -> [Table.Cell] {
        // The others have no clients of their own.
        let traffic = process.worker == nil ? nil : process
        let clients = [
            Table.Cell(traffic?.counters.map { "\($0.clients)" } ?? "-"),
            Table.Cell(traffic?.messagesInPerSecond.map(Humanized.rate) ?? "-"),
            Table.Cell(traffic?.messagesOutPerSecond.map(Humanized.rate) ?? "-"),
        ]
        let head = [
            Table.Cell(process.name),
            Table.Cell(process.state.rawValue, process.state.colour),
            Table.Cell(process.pid.map { "\($0)" } ?? "-"),
            Table.Cell(process.uptime.map(Humanized.durationBriefly) ?? "-"),
            Table.Cell("\(process.restarts)", process.restarts > 0 ? .yellow : .plain),
        ]
        return head + (withTraffic ? clients : []) + [
            Table.Cell(process.cpu.map { Humanized.fixed($0, $0 < 9.95 ? 1 : 0) } ?? "-"),
            Table.Cell(process.memory.map(Humanized.bytesBriefly) ?? "-"),
        ]
    }
}

extension ProcessStatus {
    /// Whether a sentence speaks of this process: its name in whole words, letter case aside.
    func isNamed(in sentence: String) -> Bool {
        let words = sentence.lowercased().split { !$0.isLetter && !$0.isNumber }
        let wanted = name.lowercased().split(separator: " ")
        return words.indices.contains { words[$0...].starts(with: wanted) }
    }
}
