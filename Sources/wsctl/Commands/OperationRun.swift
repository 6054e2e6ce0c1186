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
        return last.succeeded == true ? .success : .unwell
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
        let message = PlainText.harmless(progress.message)
        guard progress.done else { return "  \(message)" }
        let succeeded = progress.succeeded == true
        let outcome = style.paint(succeeded ? "done" : "failed", succeeded ? .green : .boldRed)
        return "\(PlainText.harmless(progress.operation)) \(outcome) in \(Humanized.duration(elapsed)): \(message)"
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
