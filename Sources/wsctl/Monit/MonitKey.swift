/// A key as the terminal tells it.
enum MonitKey: Equatable, Sendable {
    case character(Character)
    /// Of a text that was pasted: it is never a command.
    case pasted(Character)
    case up, down, pageUp, pageDown, home, end
    case enter, escape, backspace
    /// Ctrl-C, Ctrl-Z, Ctrl-L.
    case interrupt, suspend, redraw
}

/// Bytes of a terminal into keys (ECMA-48 control sequences, xterm's keys and bracketed paste). Unknown sequences are nothing.
struct MonitKeyDecoder: Sendable {
    /// Bytes of one sequence; what is longer is none.
    private static let maxSequence = 32

    private var pending: [UInt8] = []
    private var isPasting = false

    /// Whether more has to come, or ``flush()`` after a while.
    var isPending: Bool { !pending.isEmpty }

    mutating func feed(_ bytes: some Sequence<UInt8>) -> [MonitKey] {
        var keys: [MonitKey] = []
        for byte in bytes {
            pending.append(byte)
            if let next = take() { keys += next }
        }
        return keys
    }

    /// Nothing came for a while: an ESC that stands alone is the key.
    mutating func flush() -> [MonitKey] {
        defer { pending = [] }
        return pending.first == 0x1b && !isPasting ? [.escape] : []
    }

    /// `nil`: more has to come.
    private mutating func take() -> [MonitKey]? {
        guard let first = pending.first else { return nil }
        if first == 0x1b { return sequence() }
        if first < 0x80 {
            pending = []
            return plain(first).map { [$0] } ?? []
        }
        return encoded(first)
    }

    private func plain(_ byte: UInt8) -> MonitKey? {
        if isPasting { return byte >= 0x20 && byte < 0x7f ? .pasted(Character(Unicode.Scalar(byte))) : nil }
        switch byte {
        case 0x03: return .interrupt
        case 0x0c: return .redraw
        case 0x1a: return .suspend
        case 0x0a, 0x0d: return .enter
        case 0x08, 0x7f: return .backspace
        case 0x20..<0x7f: return .character(Character(Unicode.Scalar(byte)))
        default: return nil
        }
    }

    /// One character of several bytes of UTF-8.
    private mutating func encoded(_ first: UInt8) -> [MonitKey]? {
        let length =
            switch first {
            case 0xc2...0xdf: 2
            case 0xe0...0xef: 3
            case 0xf0...0xf4: 4
            default: 1
            }
        guard pending.count >= length else { return nil }
        defer { pending = [] }
        guard let text = String(validating: pending, as: UTF8.self), let character = text.first,
            PlainText.harmless(text) == text
        else { return [] }
        return [isPasting ? .pasted(character) : .character(character)]
    }

    private mutating func sequence() -> [MonitKey]? {
        guard pending.count > 1 else { return nil }
        guard pending.count <= Self.maxSequence else {
            pending = []
            return []
        }
        let kind = pending[1]
        guard kind == UInt8(ascii: "[") || kind == UInt8(ascii: "O") else {
            // ESC before another key: Alt with it, or two keys that came at once.
            let rest = pending[1...]
            pending = []
            return (isPasting ? [] : [.escape]) + feed(rest)
        }
        guard pending.count > 2, let last = pending.last, (0x40...0x7e).contains(last) else { return nil }
        let parameters = pending[2..<(pending.count - 1)]
        pending = []
        if last == UInt8(ascii: "~") { return numbered(parameters) }
        guard !isPasting else { return [] }
        switch last {
        case UInt8(ascii: "A"): return [.up]
        case UInt8(ascii: "B"): return [.down]
        case UInt8(ascii: "H"): return [.home]
        case UInt8(ascii: "F"): return [.end]
        case UInt8(ascii: "M") where kind == UInt8(ascii: "O"): return [.enter]
        default: return []
        }
    }

    private mutating func numbered(_ parameters: ArraySlice<UInt8>) -> [MonitKey] {
        switch String(decoding: parameters.prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self) {
        case "200": isPasting = true
        case "201": isPasting = false
        case "1", "7": return isPasting ? [] : [.home]
        case "4", "8": return isPasting ? [] : [.end]
        case "5": return isPasting ? [] : [.pageUp]
        case "6": return isPasting ? [] : [.pageDown]
        default: break
        }
        return []
    }
}
