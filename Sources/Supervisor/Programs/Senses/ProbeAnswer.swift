/// Reads the status of an answer in HTTP/1.x (RFC 9112) as its bytes come. What is not the status is not looked at.
struct ProbeAnswer {
    enum Outcome: Equatable {
        case unfinished
        /// Told once, at the end of the head; interim ones (1xx) are passed over.
        case status(Int)
        /// Not HTTP, or a head longer than ``longestHead``.
        case broken
    }

    /// Bytes, interim answers included.
    static let longestHead = 16 * 1024

    private var head: [UInt8] = []
    /// Where the search for the head's end goes on.
    private var searched = 0
    private var isOver = false

    mutating func take(_ bytes: some Collection<UInt8>) -> Outcome {
        guard !isOver else { return .unfinished }
        head += bytes.prefix(Self.longestHead + 1 - head.count)
        while let end = endOfHead() {
            guard let status = Self.status(head[..<end]) else { return over(.broken) }
            if status >= 200 || status == 101 { return over(.status(status)) }
            head.removeFirst(end)
            searched = 0
        }
        let isForeign = !zip(head, "HTTP/1.".utf8).allSatisfy { $0 == $1 }
        return isForeign || head.count > Self.longestHead ? over(.broken) : .unfinished
    }

    private mutating func over(_ outcome: Outcome) -> Outcome {
        isOver = true
        head = []
        return outcome
    }

    /// Behind the first empty line; a bare line feed ends a line, too (RFC 9112 section 2.2).
    private mutating func endOfHead() -> Int? {
        let feed = UInt8(ascii: "\n")
        for index in max(searched, 1)..<max(head.count, max(searched, 1)) where head[index] == feed {
            if head[index - 1] == feed || index > 1 && head[index - 1] == UInt8(ascii: "\r") && head[index - 2] == feed
            {
                return index + 1
            }
        }
        searched = head.count
        return nil
    }

    /// `HTTP/1.1 200 OK`
    private static func status(_ head: ArraySlice<UInt8>) -> Int? {
        let line = String(decoding: head.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }, as: UTF8.self)
        let words = line.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), words[1].utf8.count == 3, let status = Int(words[1]),
            status >= 100
        else { return nil }
        return status
    }
}
