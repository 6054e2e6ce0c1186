import ControlClient
import Wire

extension Session {
    /// Runs an operation, shows its steps as they come, and says how it ended.
    ///
    /// - Parameter endsService: the connection may break before the last line: the service is gone then, as asked.
    func operate(_ request: ControlRequest, endsService: Bool = false) async throws -> CommandStatus {
        let clock = ContinuousClock()
        let start = clock.now
        var last: OperationProgress?
        do {
            try await client.lines(request) { line in
                let progress = try ControlClient.decode(OperationProgress.self, line)
                let isRepeated = progress == last
                last = progress
                if json {
                    try output.json(line)
                } else if !isRepeated {
                    try show([ProgressLine.text(progress, elapsed: (clock.now - start).seconds, style)])
                }
            }
        } catch ControlClientError.cutOff where endsService && last != nil {
            if last?.done != true { return json ? .success : try gone() }
        }
        guard let last, last.done else {
            if endsService, last != nil { return json ? .success : try gone() }
            throw ControlClientError.cutOff
        }
        if last.succeeded == true { return .success }
        if !json, let hint = ProgressLine.hint(last.message) { remark(hint) }
        return .unwell
    }

    private func gone() throws -> CommandStatus {
        try show(["wsd has ended."])
        return .success
    }
}

/// One step of an operation.
enum ProgressLine {
    /// - Parameter elapsed: seconds since the operation was asked for.
    static func text(_ progress: OperationProgress, elapsed: Double, _ style: Style) -> String {
        let lines = progress.message.split(whereSeparator: \.isNewline).map { PlainText.harmless(String($0)) }
        let message = lines.joined(separator: "\n    ")
        guard progress.done else { return "  \(message)" }
        let succeeded = progress.succeeded == true
        let outcome = style.paint(succeeded ? "done" : "failed", succeeded ? .green : .boldRed)
        return "\(PlainText.harmless(progress.operation)) \(outcome) in \(Humanized.duration(elapsed)): \(message)"
    }
}

extension ProgressLine {
    /// What helps against a failure that has its own words for what is missing here; `nil`: nothing is known.
    static func hint(_ message: String) -> String? {
        if message.contains(" exited with 0;") {
            return "A program that is to end by itself, as a job does, takes --restart on-failure or --restart never."
        }
        // errno(3) and what Node.js, Python, Go and Java make of it.
        let isTaken = message.contains("EADDRINUSE") || message.lowercased().contains("address already in use")
        guard isTaken else { return nil }
        return """
            Another process has the port. Several processes of a program share one with --listen PORT, as descriptor 3: \
            server.listen({ fd: 3 })
            """
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
