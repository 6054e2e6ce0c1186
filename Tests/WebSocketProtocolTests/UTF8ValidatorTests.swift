import Testing

@testable import WebSocketProtocol

@Suite struct UTF8ValidatorTests {
    private func isValid(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { UTF8Validator.isValid($0) }
    }

    @Test(
        arguments: [
            [], [0x00], [0x7F], [0xC2, 0x80], [0xDF, 0xBF], [0xE0, 0xA0, 0x80], [0xED, 0x9F, 0xBF], [0xEE, 0x80, 0x80],
            [0xEF, 0xBF, 0xBD], [0xEF, 0xBF, 0xBF], [0xF0, 0x90, 0x80, 0x80], [0xF4, 0x8F, 0xBF, 0xBF],
            [0xCE, 0xBA, 0xE1, 0xBD, 0xB9, 0xCF, 0x83, 0xCE, 0xBC, 0xCE, 0xB5],
        ] as [[UInt8]])
    func valid(_ bytes: [UInt8]) {
        #expect(isValid(bytes))
        #expect(isValid(Array(repeating: 0x20, count: 31) + bytes + Array(repeating: 0x41, count: 33)))
    }

    @Test(
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x7F], [0xC2, 0xC0], [0xE0, 0x9F, 0xBF],
            [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xE1, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF0, 0x90, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80],
            [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80], [0xFE], [0xFF],
        ] as [[UInt8]])
    func invalid(_ bytes: [UInt8]) {
        #expect(!isValid(bytes))
        #expect(!isValid(Array(repeating: 0x20, count: 17) + bytes))
        #expect(!isValid(bytes + Array(repeating: 0x41, count: 17)))
    }

    @Test func agreesWithTheStandardLibraryOnEveryPairAndOnRandomBytes() {
        for first in UInt8.min...UInt8.max {
            for second in UInt8.min...UInt8.max {
                let bytes = [first, second]
                #expect(isValid(bytes) == (String(validating: bytes, as: UTF8.self) != nil), "\(bytes)")
            }
        }
        var generator = SeededGenerator(seed: 7)
        let interesting: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC2, 0xE0, 0xE1, 0xED, 0xF0, 0xF4,
        ]
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                interesting.randomElement(using: &generator) ?? 0
            }
            #expect(isValid(bytes) == (String(validating: bytes, as: UTF8.self) != nil), "\(bytes)")
        }
    }

    @Test func everySplitOfAValidTextIsValid() {
        let bytes = Array("aé€😀 zz κόσμε, und sechzehn Zeichen ASCII 0123456789abcdef 💥".utf8)
        for split in 0...bytes.count {
            var validator = UTF8Validator()
            #expect(bytes[..<split].withUnsafeBytes { validator.consume($0) })
            #expect(bytes[split...].withUnsafeBytes { validator.consume($0) })
            #expect(validator.isComplete)
        }
    }

    @Test func failsAtTheFirstByteThatCannotBeContinued() {
        var validator = UTF8Validator()
        let start: [UInt8] = [0xF4]
        #expect(start.withUnsafeBytes { validator.consume($0) })
        #expect(!validator.isComplete)
        let above: [UInt8] = [0x90]
        #expect(!above.withUnsafeBytes { validator.consume($0) })
    }
}

@Suite struct MaskingTests {
    @Test func masksEveryLengthAtEveryAlignment() {
        let key: UInt32 = 0x44_33_22_11
        let keyBytes: [UInt8] = [0x11, 0x22, 0x33, 0x44]
        for offset in 0..<9 {
            for length in 0..<100 {
                var bytes = (0..<(offset + length + 3)).map { UInt8(truncatingIfNeeded: $0 &* 37) }
                var expected = bytes
                for index in 0..<length { expected[offset + index] ^= keyBytes[index % 4] }
                bytes.withUnsafeMutableBytes {
                    _ = Masking.apply(key, to: UnsafeMutableRawBufferPointer(rebasing: $0[offset..<(offset + length)]))
                }
                #expect(bytes == expected, "offset \(offset), length \(length)")
            }
        }
    }

    @Test func tellsASCIIWhereverTheOtherByteLies() {
        for length in 1..<80 {
            for position in 0...length {
                var bytes = [UInt8](repeating: 0x61, count: length)
                if position < length { bytes[position] = 0xC3 }
                let ascii = bytes.withUnsafeMutableBytes { all in
                    Masking.apply(0xFFEE_DDCC, to: all)
                    return Masking.apply(0xFFEE_DDCC, to: all)
                }
                #expect(ascii == (position == length), "length \(length), position \(position)")
            }
        }
    }
}
