import Foundation
import Testing

@testable import wsctl

@Suite struct HumanizedTests {
    @Test(arguments: [
        (0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-1234, "-1,234"),
        (Int.max, "9,223,372,036,854,775,807"), (Int.min, "-9,223,372,036,854,775,808"),
    ]) func counts(value: Int, text: String) {
        #expect(Humanized.count(value) == text)
    }

    @Test(
        arguments: [
            (0, "0"), (-1, "0"), (0.01, "<0.1"), (0.4, "0.4"), (1, "1"), (9.94, "9.9"), (9.96, "10"), (999.5, "1000"),
            (9999.4, "9999"), (9999.5, "10.0k"), (45_678.9, "45.7k"), (123_456, "123k"), (999_999, "1.0M"),
            (4.5e6, "4.5M"),
            (.infinity, "0"), (.nan, "0"),
        ] as [(Double, String)]) func rates(value: Double, text: String)
    {
        #expect(Humanized.rate(value) == text)
    }

    @Test(arguments: [
        (0, "0 B", "0B"), (-5, "0 B", "0B"), (1023, "1023 B", "1023B"), (1024, "1.0 KiB", "1.0K"),
        (9_800_000, "9.3 MiB", "9.3M"), (1_048_575, "1.0 MiB", "1.0M"), (Int.max, "8192 PiB", "8192P"),
    ]) func bytes(value: Int, text: String, brief: String) {
        #expect(Humanized.bytes(value) == text)
        #expect(Humanized.bytesBriefly(value) == brief)
    }

    @Test(
        arguments: [
            (-1, "0 s", "0s"), (0.0154, "15 ms", "0.0s"), (0.31, "0.3 s", "0.3s"), (9.94, "9.9 s", "9.9s"),
            (42, "42 s", "42s"),
            (59.6, "1 min", "1m00s"), (192, "3 min 12 s", "3m12s"), (3600, "1 h", "1h00m"),
            (14_580, "4 h 3 min", "4h03m"),
            (273_845, "3 d 4 h", "3d04h"), (1e300, "11574074 d 1 h", "11574074d01h"), (.nan, "0 s", "0s"),
        ] as [(Double, String, String)]) func durations(seconds: Double, text: String, brief: String)
    {
        #expect(Humanized.duration(seconds) == text)
        #expect(Humanized.durationBriefly(seconds) == brief)
    }

    @Test func fixedPlaces() {
        #expect(Humanized.fixed(1_700_000_000.125, 3) == "1700000000.125")
        #expect(Humanized.fixed(0.05, 1) == "0.1")
        #expect(Humanized.fixed(-0.04, 1) == "0.0")
        #expect(Humanized.fixed(-1.25, 1) == "-1.3")
        #expect(Humanized.fixed(1e200, 1) == "huge")
        #expect(Humanized.fixed(.nan, 1) == "-")
    }

    @Test func plurals() {
        #expect(Humanized.counted(1, "client") == "1 client")
        #expect(Humanized.counted(2000, "process", "processes") == "2,000 processes")
    }
}

@Suite struct PlainTextTests {
    @Test func nothingMovesTheCursor() {
        let all = String(String.UnicodeScalarView((0..<0x2100).compactMap(Unicode.Scalar.init)))
        let harmless = PlainText.harmless(all)
        let bad = harmless.unicodeScalars.filter {
            [.control, .format, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
                && !Self.invisibleButStill.contains($0.value)
        }
        #expect(bad.isEmpty, "\(bad.map(\.value))")
        #expect(PlainText.harmless("grün 日本 👍") == "grün 日本 👍")
    }

    @Test func jsonIsHarmlessAndTheSame() throws {
        let all = String(String.UnicodeScalarView((0x20..<0x2100).compactMap(Unicode.Scalar.init))) + "\u{feff}日本👍"
        let json = try JSONEncoder().encode([all])
        let harmless = HarmlessJSON.of(Array(json))
        #expect(try JSONDecoder().decode([String].self, from: Data(harmless)) == [all])
        let bad = String(decoding: harmless, as: UTF8.self).unicodeScalars.filter {
            [.control, .format, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
                && !Self.invisibleButStill.contains($0.value)
        }
        #expect(bad.isEmpty, "\(bad.map(\.value))")
        // A character that is cut off is left as it is.
        for bytes: [UInt8] in [[0x22, 0xe2, 0x80], [0xc2], [0xd8, 0x41]] { #expect(HarmlessJSON.of(bytes) == bytes) }
    }

    /// Format characters that join or hyphenate and neither move nor reorder anything.
    private static let invisibleButStill: Set<UInt32> = [
        0xad, 0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x6dd, 0x70f, 0x890, 0x891, 0x8e2, 0x180e, 0x200b, 0x200c,
        0x200d,
        0x2060, 0x2061, 0x2062, 0x2063, 0x2064,
    ]

    @Test func cutsByColumns() {
        #expect(PlainText.cut("abc", to: 3) == "abc")
        #expect(PlainText.cut("abcd", to: 3) == "ab…")
        #expect(PlainText.cut("日本語", to: 5) == "日本…")
        #expect(PlainText.cut("日本語", to: 4) == "日…")
    }

    @Test func wrapsBetweenWords() {
        #expect(PlainText.wrapped("aa bb cc", to: 5) == ["aa bb", "cc"])
        #expect(PlainText.wrapped("aaaaaaaa b", to: 5) == ["aaaaaaaa", "b"])
        #expect(PlainText.wrapped("", to: 5) == [])
    }
}
