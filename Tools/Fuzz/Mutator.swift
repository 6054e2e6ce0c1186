/// Changes inputs a little, the same way for the same seed.
struct Mutator {
    /// Changes to one input.
    private static let maxChanges = 8
    private var generator: SplitMix64
    private let corpus: [[UInt8]]

    /// `corpus` empty: it begins with nothing.
    init(seed: UInt64, corpus: [[UInt8]]) {
        generator = SplitMix64(state: seed)
        self.corpus = corpus.isEmpty ? [[]] : corpus
    }

    mutating func next() -> [UInt8] {
        var bytes = corpus[below(corpus.count)]
        for _ in 0...below(Self.maxChanges) { change(&bytes) }
        return Array(bytes.prefix(Corpus.maxInput))
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        switch below(9) {
        case 0: put(UInt8(truncatingIfNeeded: generator.next()), into: &bytes)
        case 1:
            guard let index = index(bytes) else { return }
            bytes[index] ^= 1 << UInt8(below(8))
        case 2: put([0, 1, 0x7F, 0x80, 0xFF, 0x22, 0x5C, 0x7B, 0x0D, 0x0A][below(10)], into: &bytes)
        case 3:
            // A number at the edge of its type, little- or big-endian.
            let value = [0, 1, 125, 126, 127, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, UInt64.max][below(10)]
            guard let index = index(bytes) else { return }
            let width = [1, 2, 4, 8][below(4)], isLittle = below(2) == 0
            for place in 0..<width where index + place < bytes.count {
                let shift = UInt64(8 * (isLittle ? place : width - 1 - place))
                bytes[index + place] = UInt8(truncatingIfNeeded: value >> shift)
            }
        case 4:
            guard let start = index(bytes) else { return }
            bytes.removeSubrange(start..<start + 1 + below(min(16, bytes.count - start)))
        case 5: bytes.removeLast(min(bytes.count, below(bytes.count + 1)))
        case 6:
            // A piece of this input once more.
            guard let start = index(bytes), let place = index(bytes) else { return }
            let piece = bytes[start..<start + 1 + below(min(64, bytes.count - start))]
            bytes.insert(contentsOf: piece, at: place)
        case 7:
            // A piece of another one.
            let other = corpus[below(corpus.count)]
            guard let start = index(other) else { return }
            let piece = other[start..<start + 1 + below(min(256, other.count - start))]
            bytes.insert(contentsOf: piece, at: below(bytes.count + 1))
        default:
            let byte = UInt8(truncatingIfNeeded: generator.next())
            bytes.insert(contentsOf: [UInt8](repeating: byte, count: 1 + below(8)), at: below(bytes.count + 1))
        }
    }

    private mutating func put(_ byte: UInt8, into bytes: inout [UInt8]) {
        guard let index = index(bytes) else { return }
        bytes[index] = byte
    }

    private mutating func index(_ bytes: [UInt8]) -> Int? { bytes.isEmpty ? nil : below(bytes.count) }

    private mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }
}

/// Small, fast, and the same on every machine for one seed.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
