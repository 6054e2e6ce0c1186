import ControlClient
import NIOCore
import Wire

/// Finds out what became of a service whose answer has ended in the middle: another program may have taken its process over
/// (`POST /v1/upgrade`), which ends all connections and keeps the listening socket.
struct Comeback {
    enum Outcome: Equatable {
        /// The same process and program.
        case same
        /// The same process, with another program; what it counts goes on.
        case takenOver
        /// Another process, which counts anew.
        case restarted
        case gone
    }

    /// How long one who waits does so, and how it looks meanwhile.
    struct Patience {
        /// Until it is given up.
        var all = Duration.seconds(10)
        /// For which the same program may go on answering before that is believed.
        var settling = Duration.seconds(1)
        /// Between two looks.
        var interval = Duration.milliseconds(50)
        /// Whether it may be gone meanwhile: a takeover leaves the socket as it is.
        var awaitsRestart = false
    }

    private let client: ControlClient
    private let patience: Patience
    /// What answered last.
    private(set) var known: VersionAnswer

    /// Asks for the present state, that another one can be told from.
    init(_ client: ControlClient, _ patience: Patience = Patience()) async throws {
        self.client = try await client.settled().limited { $0.answerTimeout = .seconds(3) }
        self.patience = patience
        known = try await Self.version(self.client)
    }

    /// - Parameter missing: called once where nobody answers.
    mutating func wait(missing: () -> Void = {}) async -> Outcome {
        let clock = ContinuousClock()
        let start = clock.now
        var isMissing = false
        while clock.now - start < patience.all {
            do {
                let answer = try await Self.version(client)
                let outcome = outcome(answer)
                if outcome != .same || isMissing || clock.now - start >= patience.settling {
                    known = answer
                    return outcome
                }
            } catch {
                if Self.isAbsence(error), !patience.awaitsRestart { return .gone }
                if !isMissing { missing() }
                isMissing = true
            }
            try? await Task.sleep(for: patience.interval)
            if Task.isCancelled { break }
        }
        return .gone
    }

    private func outcome(_ answer: VersionAnswer) -> Outcome {
        guard answer.pid == known.pid else { return .restarted }
        return answer.takeovers == known.takeovers ? .same : .takenOver
    }

    private static func version(_ client: ControlClient) async throws -> VersionAnswer {
        try await client.value(VersionAnswer.self, ControlRequest(.get, "/v1/version"))
    }

    private static func isAbsence(_ error: any Error) -> Bool {
        if case ControlClientError.notRunning = error { true } else { false }
    }
}
