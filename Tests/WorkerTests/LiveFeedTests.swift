import NIOCore
import Testing

@testable import Worker

@Suite struct LiveFeedTests {
    @Test(arguments: [
        ("/ws/logs", "", "/v1/logs?follow=1"),
        ("/ws/logs", "token=secret", "/v1/logs?follow=1"),
        (
            "/ws/logs", "level=warning&worker=2&lines=50&since=10m&after=7",
            "/v1/logs?follow=1&level=warning&worker=2&lines=50&since=10m&after=7"
        ),
        (
            "/ws/logs", "source=worker+1&grep=a%26b%3Dc%C3%A9",
            "/v1/logs?follow=1&source=worker%201&grep=a%26b%3Dc%C3%A9"
        ),
        // Neither what is not known nor `follow` is the client's to say.
        ("/ws/logs", "follow=0&other=1&level=", "/v1/logs?follow=1"),
        ("/ws/logs", "lines=1&lines=2", "/v1/logs?follow=1&lines=1"),
        ("/ws/stats", "", "/v1/stats?follow=1s"),
        ("/ws/stats", "interval=5s", "/v1/stats?follow=5s"),
        ("/ws/stats", "interval=60&level=info", "/v1/stats?follow=60s"),
    ])
    func becomesACall(_ path: String, _ query: String, _ call: String) throws {
        let feed = try #require(LiveFeed(path: path[...]))
        #expect(try feed.call(query[...]).get() == call)
    }

    @Test(arguments: [
        ("/ws/stats", "interval=0s"), ("/ws/stats", "interval=61s"), ("/ws/stats", "interval=1m"),
        ("/ws/stats", "interval=-1"), ("/ws/stats", "interval=99999999999999999999s"),
        ("/ws/logs", "grep=" + String(repeating: "x", count: 257)),
    ])
    func refusesWhatCannotBe(_ path: String, _ query: String) throws {
        let feed = try #require(LiveFeed(path: path[...]))
        #expect(throws: (any Error).self) { try feed.call(query[...]).get() }
    }

    @Test func hasTwoPaths() {
        for path in ["/ws", "/ws/", "/ws/log", "/ws/logs/", "/WS/logs", ""] {
            #expect(LiveFeed(path: path[...]) == nil)
        }
        #expect(LiveFeed(path: "/ws/logs") == .logs && LiveFeed(path: "/ws/stats") == .stats)
    }
}

@Suite struct LiveLinesTests {
    private func cut(_ pieces: [String]) -> [String] {
        var (lines, found) = (LiveLines(), [String]())
        for piece in pieces {
            lines.append(ByteBuffer(string: piece))
            while case .line(let line) = lines.next() { found.append(String(buffer: line)) }
        }
        return found
    }

    @Test func cutsWhereverThePiecesEnd() {
        let text = "{\"a\":1}\n\n{\"b\":\"é\"}\n\n\n3\nrest"
        let expected = ["{\"a\":1}", "{\"b\":\"é\"}", "3"]
        #expect(cut([text]) == expected)
        #expect(cut(text.unicodeScalars.map { String($0) }) == expected)
        for split in text.indices { #expect(cut([String(text[..<split]), String(text[split...])]) == expected) }
    }

    @Test func aLineHasALimit() {
        var lines = LiveLines()
        lines.append(ByteBuffer(repeating: 0x78, count: LiveLines.maxLine))
        #expect(lines.next() == .incomplete)
        lines.append(ByteBuffer(string: "\n"))
        #expect(lines.next() == .line(ByteBuffer(repeating: 0x78, count: LiveLines.maxLine)))
        lines.append(ByteBuffer(repeating: 0x78, count: LiveLines.maxLine + 1))
        #expect(lines.next() == .tooLong)
        lines.append(ByteBuffer(string: "\nx\n"))
        #expect(lines.next() == .tooLong)
    }
}
