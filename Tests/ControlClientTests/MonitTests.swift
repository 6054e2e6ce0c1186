import LinuxSystem
import Testing

@testable import wsctl

@Suite struct MonitKeyTests {
    private static func keys(_ text: String) -> [MonitKey] {
        var decoder = MonitKeyDecoder()
        return decoder.feed(text.utf8) + decoder.flush()
    }

    @Test(
        arguments: [
            ("q", [.character("q")]), ("\u{1b}[A\u{1b}OB", [.up, .down]), ("\u{1b}[1;5A", [.up]),
            ("\u{1b}[H\u{1b}[4~\u{1b}OF\u{1b}[7~", [.home, .end, .end, .home]),
            ("\u{1b}[5~\u{1b}[6;2~", [.pageUp, .pageDown]),
            ("\r\n\u{7f}\u{8}\u{3}", [.enter, .enter, .backspace, .backspace, .interrupt]),
            ("é漢", [.character("é"), .character("漢")]),
            ("\u{1b}", [.escape]), ("\u{1b}q", [.escape, .character("q")]), ("\u{1b}[", [.escape]),
            ("\u{1b}[200~xq\u{1b}[A\r\u{1b}[201~q", [.pasted("x"), .pasted("q"), .character("q")]),
            ("\u{1b}[15~\u{0}\u{1b}[<0;1;1Mq", [.character("q")]), ("\u{202e}q", [.character("q")]),
        ] as [(String, [MonitKey])])
    func keys(text: String, expected: [MonitKey]) {
        #expect(Self.keys(text) == expected)
    }

    @Test func bytesMayComeOneByOneAndMayBeAnything() {
        var decoder = MonitKeyDecoder()
        #expect(decoder.feed([0x1b]).isEmpty && decoder.isPending)
        #expect(decoder.feed([0x5b]).isEmpty && decoder.feed([0x42]) == [.down] && !decoder.isPending)
        #expect(decoder.feed([0xff, 0xc3, 0x28, 0xf4, 0x90, 0x80, 0x80, 0x71]) == [.character("q")])
        #expect(decoder.feed([0x1b, 0x5b] + Array(repeating: 0x30, count: 100) + [0x41]).isEmpty == false)
        var random: UInt64 = 7
        for _ in 0..<20_000 {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            _ = decoder.feed([UInt8(truncatingIfNeeded: random >> 56)])
        }
    }
}

@Suite struct PaintedTextTests {
    private static let red = "\u{1b}[31m"
    private static let end = "\u{1b}[0m"

    @Test func cuts() {
        #expect(PaintedText.cut("abc", to: 3) == "abc" && PaintedText.cut("abcd", to: 3) == "ab…")
        #expect(PaintedText.cut("漢字漢", to: 5) == "漢字…" && PaintedText.cut("漢字漢", to: 4) == "漢…")
        #expect(PaintedText.cut("a\(Self.red)bcd\(Self.end)", to: 3) == "a\(Self.red)b\(Self.end)…")
        #expect(PaintedText.cut("\(Self.red)abc\(Self.end)", to: 3) == "\(Self.red)abc\(Self.end)")
        #expect(PaintedText.cut("e\u{301}e\u{301}", to: 2) == "e\u{301}e\u{301}" && PaintedText.cut("a", to: 0) == "")
    }

    @Test func breaks() {
        #expect(PaintedText.broken("abcdefg", to: 3, rows: 9) == ["abc", "def", "g"])
        #expect(PaintedText.broken("abcdefg", to: 3, rows: 2) == ["abc", "de…"])
        #expect(
            PaintedText.broken("a\(Self.red)bcd\(Self.end)", to: 2, rows: 9)
                == ["a\(Self.red)b\(Self.end)", "\(Self.red)cd\(Self.end)"])
        #expect(
            PaintedText.broken("", to: 3, rows: 2) == [""] && PaintedText.broken("漢字", to: 3, rows: 2) == ["漢", "字"])
    }

    @Test func withoutUTF8() {
        #expect(PaintedText.ascii("› a · “é” ▁█ 漢… e\u{301}") == "> a - \"?\" _# ??~ e")
        #expect(MonitLocale.isUTF8(["LANG": "C.UTF-8"]) && MonitLocale.isUTF8(["LC_CTYPE": "de_DE.utf8", "LANG": "C"]))
        #expect(!MonitLocale.isUTF8(["LC_ALL": "C", "LANG": "C.UTF-8"]) && !MonitLocale.isUTF8([:]))
    }

    @Test func sparklines() {
        #expect(Sparkline.text([0, 50, 100], columns: 5, full: 10) == "  ▁▅█")
        #expect(Sparkline.text([0, 1, .nan, -3], columns: 3, full: 10) == "▁▁▁")
        #expect(Sparkline.text([9, 10], columns: 1, full: 10) == "█")
    }
}

@Suite struct MonitFrameTests {
    private static let size = FullScreenTerminal.Size(columns: 80, rows: 3)

    @Test func onlyWhatChangedIsWritten() {
        var frame = MonitFrame()
        func text(_ lines: [String], _ size: FullScreenTerminal.Size = Self.size) -> String {
            String(decoding: frame.bytes(lines, size), as: UTF8.self)
        }
        #expect(
            text(["a", "", "c"]) == "\u{1b}[0m\u{1b}[2J\u{1b}[1;1H\u{1b}[2Ka\u{1b}[0m\u{1b}[3;1H\u{1b}[2Kc\u{1b}[0m")
        #expect(text(["a", "", "c"]) == "")
        #expect(text(["a", "b", ""]) == "\u{1b}[2;1H\u{1b}[2Kb\u{1b}[0m\u{1b}[3;1H\u{1b}[2K\u{1b}[0m")
        #expect(text(["a", "b", ""], FullScreenTerminal.Size(columns: 80, rows: 4)).contains("[2J"))
        frame.forget()
        #expect(text(["a"]).contains("[2J"))
    }
}

@Suite struct MonitLogTests {
    @Test func keepsTheLatestLines() {
        var log = MonitLog()
        for number in 0..<10_000 { log.append(Array("\(number)".utf8)) }
        #expect(log.extent.end == 10_000 && (2000...MonitLog.maxLines).contains(10_000 - log.extent.first))
        #expect(log.tail(2, end: 10_000).map { String(decoding: $0, as: UTF8.self) } == ["9998", "9999"])
        #expect(log.tail(2, end: 0).isEmpty && log.tail(2, end: .max - 1).count == 2)
        let long = [UInt8](repeating: 0x61, count: 1024 * 1024)
        for _ in 0..<20 { log.append(long) }
        #expect(log.extent.end - log.extent.first <= 4)
        // A stream that ended stays to be read until the next one begins.
        log.ended()
        #expect(!log.tail(1, end: log.extent.end).isEmpty)
        log.append([0x62])
        #expect(log.extent.end - log.extent.first == 1)
    }

    @Test func aLookIsToldOfOnce() {
        let log = SharedMonitLog()
        #expect(log.append([1]) && !log.append([2]))
        #expect(log.look().extent.end == 2)
        #expect(log.append([3]) && !log.append([4]))
    }
}
