import Testing
import Wire

@testable import wsctl

@Suite struct StatsScreenTests {
    private static func screen(_ totals: ServiceTotals) -> [String] {
        StatsScreen.lines(StatsSample(time: 0, totals: totals, processes: []), .plain)
    }

    @Test func aServiceWithoutAnythingSpecial() {
        var totals = Sample.status().totals
        (totals.messagesIn, totals.messagesOut) = (1_234_567, 9)
        totals.liveConnections = 3
        let lines = Self.screen(totals)
        #expect(lines[0] == "clients                       1,204")
        #expect(lines.contains("messages in               1,234,567  1234 a second"))
        #expect(lines.contains("bytes out                   9.2 GiB"))
        #expect(lines.contains("refused by reason                 0"))
        #expect(lines.contains("live connections                  3"))
        #expect(!lines.contains { $0.contains("latency") || $0.contains("WEBHOOK") || $0.contains("traces") })
        #expect(lines.allSatisfy { PlainText.width($0) <= 80 && !$0.hasSuffix(" ") })
    }

    @Test func longNotesGoOnBelow() {
        var totals = ServiceTotals()
        totals.errorsByCode = [
            "invalid_message": 5, "invalid_position": 4, "invalid_room": 3, "rate_limited": 2, "unknown_type": 1,
        ]
        let lines = Self.screen(totals)
        #expect(lines.allSatisfy { PlainText.width($0) <= 80 })
        #expect(lines.contains { $0.hasSuffix("  invalid_message 5, invalid_position 4,") })
        #expect(lines.contains { $0.hasPrefix("          ") && $0.contains("unknown_type 1") })
    }

    @Test func whatThereIsIsShown() throws {
        var totals = ServiceTotals()
        totals.refusedByReason = ["origin": 3, "connections_per_user": 12, "a\u{1b}b": 1]
        totals.errorsByCode = ["forbidden": 1]
        (totals.historyRooms, totals.historyMessages, totals.historyBytes) = (2, 40, 2048)
        (totals.recorded, totals.commits, totals.commitMean, totals.storageFailures) = (40, 9, 0.0004, 1)
        (totals.averageSize, totals.compressionRatio, totals.decompressionRatio) = (120.4, 0.254, 0.5)
        (totals.resumed, totals.notResumed, totals.reconnects, totals.traces) = (8, 1, 9, 1)
        var histogram = LatencyHistogram()
        for _ in 0..<99 { histogram.record(nanoseconds: 300_000) }
        histogram.record(nanoseconds: 2_000_000_000)
        totals.latency = LatencySummary(histogram)
        var figures = WebhookFigures()
        (figures.calls, figures.failures, figures.inFlight, figures.microseconds) = (11, 1, 1, 45_000)
        totals.webhooks = ["publish": WebhookTotals(figures), "connect": WebhookTotals(WebhookFigures())]
        let text = Self.screen(totals).joined(separator: "\n")
        for part in [
            "connections_per_user 12, origin 3, a\\x1bb 1", "40 messages, 2.0 KiB kept",
            "9 commits of 0.4 ms in the mean",
            "could not be recorded", "compressed to, sent", "25 %", "rooms resumed 8, not 1", "traces followed",
            "p50 0.5 ms, p95 0.5 ms, max 2.0 s", "mean message", "120 B",
        ] { #expect(text.contains(part), "\(part)") }
        let lines = Self.screen(totals)
        let heading = try #require(lines.firstIndex { $0.hasPrefix("WEBHOOK") })
        #expect(
            Array(lines[heading...(heading + 2)]) == [
                "WEBHOOK  CALLS  FAILED  TIMEOUTS  RETRIES  REFUSED  NOW    MEAN",
                "connect      0       0         0        0        0    0       -",
                "publish     11       1         0        0        0    1  4.5 ms",
            ])
    }

    @Test func shortTimes() {
        #expect(
            [0, 0.00001, 0.0004, 0.0099, 0.012, 1.5, .nan].map(Humanized.latency)
                == ["0 ms", "<0.1 ms", "0.4 ms", "9.9 ms", "12 ms", "1.5 s", "0 ms"])
    }
}
