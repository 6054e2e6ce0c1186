import NIOCore
import Testing

@testable import WebSocketProtocol

@Suite struct ProxyHeaderTests {
    enum Outcome: Equatable {
        case incomplete
        case header(String?, Int)
        case invalid
    }

    func parse(_ bytes: [UInt8]) -> Outcome {
        switch ProxyHeader.parse(ByteBuffer(bytes: bytes)) {
        case .incomplete: .incomplete
        case .header(let header):
            .header(header.source.map { "\($0.ipAddress ?? "")/\($0.port ?? -1)" }, header.length)
        case .invalid: .invalid
        }
    }

    func parse(_ text: String) -> Outcome { parse(Array(text.utf8)) }

    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    static func binary(_ versionCommand: UInt8, _ family: UInt8, _ payload: [UInt8], length: Int? = nil) -> [UInt8] {
        let size = length ?? payload.count
        return signature + [versionCommand, family, UInt8(size >> 8), UInt8(size & 255)] + payload
    }

    static let ipv4: [UInt8] = [203, 0, 113, 9, 192, 0, 2, 1, 0xD4, 0x31, 0x01, 0xBB]
    static let ipv6: [UInt8] =
        [0x20, 0x01, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [1]
        + [0x20, 0x01, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [2] + [0xD4, 0x31, 0x01, 0xBB]

    static let lines: [(String, Outcome)] = [
        ("PROXY TCP4 203.0.113.9 192.0.2.1 54321 443\r\nGET", Outcome.header("203.0.113.9/54321", 44)),
        ("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", .header("2001:db8::1/1", 44)),
        ("PROXY UNKNOWN\r\n", .header(nil, 15)),
        ("PROXY UNKNOWN ffff:: what ever\r\n", .header(nil, 32)),
        ("", .incomplete), ("PR", .incomplete), ("PROXY ", .incomplete), ("PROXY TCP4 203.0.113.9", .incomplete),
        ("GET / HTTP/1.1\r\n", .invalid), ("PROXYTCP4", .invalid), ("proxy UNKNOWN\r\n", .invalid),
        ("PROXY UNKNOWN\n", .invalid), ("PROXY \r\n", .invalid), ("PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n", .invalid),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", .invalid), ("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n", .invalid),
        ("PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n", .invalid), ("PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n", .invalid),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n", .invalid), ("PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n", .invalid),
        ("PROXY TCP4 ::1 ::2 1 2\r\n", .invalid), ("PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", .invalid),
        ("PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n", .invalid),
        ("PROXY UNKNOWN " + String(repeating: "x", count: 91) + "\r\n", .header(nil, 107)),
        ("PROXY UNKNOWN " + String(repeating: "x", count: 92) + "\r\n", .invalid),
        ("PROXY " + String(repeating: "x", count: 101), .invalid),
    ]

    @Test(arguments: lines)
    func readsVersionOne(_ text: String, _ expected: Outcome) {
        #expect(parse(text) == expected)
    }

    static let binaries: [([UInt8], Outcome)] = [
        (binary(0x21, 0x11, ipv4), Outcome.header("203.0.113.9/54321", 28)),
        (binary(0x21, 0x12, ipv4), .header("203.0.113.9/54321", 28)),
        (binary(0x21, 0x21, ipv6), .header("2001:db8::1/54321", 52)),
        // TLVs are passed over, whatever they hold.
        (binary(0x21, 0x11, ipv4 + [0x20, 0xFF, 0xFF, 1, 2, 3]), .header("203.0.113.9/54321", 34)),
        (binary(0x20, 0x00, []), .header(nil, 16)), (binary(0x20, 0x11, ipv4), .header(nil, 28)),
        (binary(0x21, 0x00, [1, 2, 3]), .header(nil, 19)),
        (binary(0x21, 0x31, Array(repeating: 0, count: 216)), .header(nil, 232)),
        (binary(0x21, 0x31, Array(repeating: 0, count: 215)), .invalid),
        (binary(0x21, 0x11, Array(ipv4.dropLast())), .invalid), (binary(0x21, 0x21, ipv4), .invalid),
        (binary(0x11, 0x11, ipv4), .invalid), (binary(0x22, 0x11, ipv4), .invalid),
        (binary(0x21, 0x41, ipv4), .invalid), (binary(0x21, 0x13, ipv4), .invalid),
        (binary(0x21, 0x11, ipv4, length: 4080), .incomplete), (binary(0x21, 0x11, ipv4, length: 4081), .invalid),
        (binary(0x21, 0x11, Array(ipv4.prefix(5)), length: 12), .incomplete),
    ]

    @Test(arguments: binaries)
    func readsVersionTwo(_ bytes: [UInt8], _ expected: Outcome) {
        #expect(parse(bytes) == expected)
    }

    @Test func eachBeginningIsIncomplete() {
        for whole in [Self.binary(0x21, 0x21, Self.ipv6), Array("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n".utf8)] {
            for count in 0..<whole.count { #expect(parse(Array(whole.prefix(count))) == .incomplete) }
            #expect(parse(whole + [0, 1, 2]) == parse(whole))
        }
    }

    /// Whatever comes: no trap, and never a header longer than what is there.
    @Test func survivesAnything() {
        var state: UInt64 = 11
        func random() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        let seeds = [
            Self.binary(0x21, 0x21, Self.ipv6), Self.binary(0x21, 0x11, Self.ipv4 + [4, 0, 1, 9]),
            Array("PROXY TCP6 2001:db8::1 2001:db8::2 54321 443\r\n".utf8),
        ]
        for _ in 0..<20_000 {
            var bytes = seeds[Int(random() % 3)]
            for _ in 0..<(random() % 4) { bytes[Int(random()) % bytes.count] = UInt8(truncatingIfNeeded: random()) }
            bytes = Array(bytes.prefix(Int(random()) % (bytes.count + 1)))
            if case .header(_, let length) = parse(bytes) { #expect(length <= bytes.count) }
        }
    }
}
