import Glibc
import Testing

@testable import wsctl

@Suite struct PointInTimeTests {
    /// 2026-11-21T06:00:00Z.
    private let now = 1_795_240_800.0

    private func parse(_ text: String) -> Double? {
        Self.utc
        return PointInTime.parse(text, now: now)
    }

    /// The reader's zone for these tests.
    private static let utc: Void = {
        setenv("TZ", "UTC0", 1)
        tzset()
    }()

    @Test(arguments: [
        ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("0s", 0), ("3650d", 315_360_000),
    ]) func ago(text: String, seconds: Double) {
        #expect(parse(text) == now - seconds)
    }

    @Test(arguments: [
        ("2026-11-21", 1_795_219_200), ("2026-11-21T06:00", 1_795_240_800), ("2026-11-21 06:00:51", 1_795_240_851),
        ("2026-11-21T06:00:51.25Z", 1_795_240_851), ("2026-11-21T07:00:00+01:00", 1_795_240_800),
        ("2026-11-21T00:30-0530", 1_795_240_800), ("05:30", 1_795_239_000), ("05:30:05", 1_795_239_005),
    ]) func moments(text: String, seconds: Double) {
        #expect(parse(text) == seconds)
    }

    @Test(arguments: [
        "", "10", "m", "10x", "1h30", "-5m", "99999999999s", "4000d", "2026", "2026-11", "2026-13-01", "2026-11-32",
        "2026-11-21T", "2026-11-21T25:00", "2026-11-21T06:00+1", "2026-11-21T06:00:00 Z", "6:00", "٣m", "yesterday",
    ]) func refuses(text: String) {
        #expect(parse(text) == nil)
    }

    @Test func showsTimes() {
        Self.utc
        #expect(WallClock.text(1_795_240_851.1239) == "2026-11-21 06:00:51.123")
        #expect(WallClock.text(.nan) == "1970-01-01 00:00:00.000")
        #expect(WallClock.text(1e300).hasPrefix("9999-12-31"))
        #expect(WallClock.textBriefly(1_795_240_851.1239, now: 1_795_240_900) == "06:00:51.123")
        #expect(WallClock.textBriefly(1_795_240_851.1239, now: 1_795_340_900) == "2026-11-21 06:00:51.123")
    }
}
