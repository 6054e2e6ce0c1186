import Foundation
import Testing
import Wire

/// The scanner beside Foundation's parser, over mutations of valid texts.
struct JSONReferenceTests {
    private static let seeds = [
        #"{"type":"sendToRoom","roomId":"lobby","data":{"text":"hi \u00e9","n":[1,-2.5e3,true,null]}}"#,
        "{\n  \"a\" : [ { } , [ ] ],\r\n \"b\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\"\t}",
        #"[0,-0,1e5,1E-5,0.1,"","🎉",{"k":{"k":{"k":[]}}}]"#,
    ]
    private static let alphabet = Array("{}[]:,\"\\/ \t\n\r0123456789.eE+-truefalsnudbx\u{1}".utf8)

    /// Foundation is more lenient in a few places that the mutations reach: it takes a byte order mark and other
    /// encodings. Texts that are plain UTF-8 without NUL leave only true differences.
    private func reference(_ bytes: [UInt8]) -> Bool {
        (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) != nil
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func agreesOnMutations(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var disagreements: [String] = []
        for _ in 0..<2_000 {
            var bytes = Array(Self.seeds.randomElement(using: &generator)!.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                mutate(&bytes, &generator)
            }
            guard String(validating: bytes, as: UTF8.self) != nil, bytes.count >= 4 else { continue }
            let mine = bytes.withUnsafeBytes { (try? JSONScanner.scanValue($0)) != nil }
            if mine != reference(bytes), !isKnownDifference(bytes, mine) {
                disagreements.append("mine \(mine): \(String(decoding: bytes, as: UTF8.self).debugDescription)")
            }
        }
        #expect(disagreements.isEmpty, "seed \(seed): \(disagreements.prefix(5))")
    }

    /// Foundation refuses what it cannot hold in its own values, though it is JSON: numbers out of range and half
    /// surrogate pairs. And it takes a comma before a closing bracket, which is not JSON.
    private func isKnownDifference(_ bytes: [UInt8], _ mine: Bool) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        guard mine else { return text.contains(/,\s*[\]}]/) }
        return text.contains(/\\u[dD][89a-fA-F]/) || text.contains(/[0-9][eE][+-]?[0-9]{3}/)
    }

    private func mutate(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
        guard !bytes.isEmpty else { return }
        let position = Int.random(in: 0..<bytes.count, using: &generator)
        let byte = Self.alphabet.randomElement(using: &generator)!
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: bytes[position] = byte
        case 1: bytes.insert(byte, at: position)
        case 2: bytes.remove(at: position)
        case 3: bytes.swapAt(position, Int.random(in: 0..<bytes.count, using: &generator))
        default: bytes.removeSubrange(position...)
        }
    }

    @Test func garbageNeverTraps() {
        var generator = SeededGenerator(seed: 99)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                Bool.random(using: &generator)
                    ? Self.alphabet.randomElement(using: &generator)! : UInt8.random(in: 0...255, using: &generator)
            }
            bytes.withUnsafeBytes { raw in
                _ = try? JSONScanner.scanObject(raw) { key, value in
                    _ = JSONString.text(key, in: raw)
                    _ = JSONString.text(value, in: raw)
                }
            }
        }
    }
}
