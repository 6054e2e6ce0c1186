import ControlClient
import Wire

extension Session {
    /// Has another program take the service's process over, and says how it went.
    func upgrade(_ body: UpgradeBody, _ patience: Comeback.Patience = .ofUpgrade) async throws -> CommandStatus {
        var comeback = try await Comeback(client, patience)
        let former = comeback.known
        let clock = ContinuousClock()
        let start = clock.now
        var last: OperationProgress?
        do {
            try await client.lines(ControlRequest(.post, "/v1/upgrade", body: ControlClient.encode(body))) { line in
                let progress = try ControlClient.decode(OperationProgress.self, line)
                let isRepeated = progress == last
                last = progress
                if json {
                    try output.json(line)
                } else if !isRepeated {
                    try show([ProgressLine.text(progress, elapsed: (clock.now - start).seconds, style)])
                }
            }
        } catch ControlClientError.refused(404, _) {
            throw UpgradeScreen.tooOld(former)
        } catch ControlClientError.cutOff where last != nil {}
        if let last, last.done { return last.succeeded == true ? .success : .unwell }
        // The program that was asked is gone, unless all went wrong.
        guard last != nil, body.checkOnly != true else { throw ControlClientError.cutOff }
        let cut = clock.now
        let outcome = await comeback.wait()
        if outcome == .same {
            remark("wsctl: \(UpgradeScreen.unchanged(former))")
            return .unwell
        }
        guard outcome == .takenOver else {
            throw UpgradeScreen.failure(outcome, former: former, now: comeback.known, patience)
        }
        let sentence = UpgradeScreen.success(from: former, to: comeback.known, pause: (clock.now - cut).seconds)
        if json {
            let progress = OperationProgress(operation: "upgrade", message: sentence, done: true, succeeded: true)
            try output.json(ControlClient.encode(progress))
        } else {
            try show([style.paint(sentence, .green)])
        }
        return .success
    }
}

extension Comeback.Patience {
    /// For a new program that reads what it was handed.
    static var ofUpgrade: Self {
        var patience = Self()
        (patience.all, patience.settling, patience.interval) = (.seconds(15), .seconds(2), .milliseconds(5))
        patience.awaitsRestart = true
        return patience
    }
}

/// What `wsctl upgrade` says.
enum UpgradeScreen {
    /// - Parameter pause: seconds for which nobody answered.
    static func success(from former: VersionAnswer, to now: VersionAnswer, pause: Double) -> String {
        let versions = "\(PlainText.harmless(former.version)) → \(PlainText.harmless(now.version))"
        return "wsd \(versions), pid \(now.pid), nothing was stopped (\(Humanized.duration(pause)))"
    }

    /// What goes on with the former program, and how it is replaced; `nil`: nothing.
    static func rest(_ status: ServiceStatus) -> String? {
        let others = status.processes.filter { $0.pid != nil && $0.name != "supervisor" }
        guard !others.isEmpty else { return nil }
        let workers = Set(others.compactMap(\.worker)).count
        let parts = [
            others.contains { $0.worker == nil } ? "The hub" : nil,
            workers > 0 ? Humanized.counted(workers, "worker") : nil,
        ]
        let names = parts.compactMap { $0 }.joined(separator: " and ")
        return """
            \(names) still \(parts.contains(nil) && workers < 2 ? "runs" : "run") the program from before, with all \
            clients. `wsctl restart` replaces them one after the other, and closes each one's clients with 1012.
            """
    }

    static func tooOld(_ service: VersionAnswer) -> ControlClientError {
        let message = """
            wsd \(PlainText.harmless(service.version)) (pid \(service.pid)) is too old to be replaced while it runs. \
            Restart it: systemctl restart wsd, or wsctl stop and then wsd
            """
        return .refused(status: 404, ControlError(code: "not_found", message: message))
    }

    static func unchanged(_ service: VersionAnswer) -> String {
        """
        wsd \(PlainText.harmless(service.version)) (pid \(service.pid)) has ended the connection and goes on as it was: it has \
        not been replaced. `wsctl logs supervisor` says why.
        """
    }

    static func failure(
        _ outcome: Comeback.Outcome, former: VersionAnswer, now: VersionAnswer, _ patience: Comeback.Patience
    ) -> ControlClientError {
        outcome == .restarted
            ? .system(
                """
                wsd (pid \(former.pid)) has ended instead of being replaced, and another one (pid \(now.pid), \
                \(PlainText.harmless(now.version))) was started since, with its programs. journalctl -u wsd says why, \
                or its log file.
                """)
            : .system(
                """
                wsd (pid \(former.pid)) has not answered within \(patience.all.components.seconds) s of being replaced. \
                See whether it runs: ps -p \(former.pid). What it said: journalctl -u wsd, or its log file. \
                Start it again: systemctl restart wsd, or wsctl resurrect
                """)
    }
}
