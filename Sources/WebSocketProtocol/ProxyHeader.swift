import NIOCore

/// The PROXY protocol's header (haproxy.org/download/3.0/doc/proxy-protocol.txt, versions 1 and 2): what a proxy says,
/// before the first byte of its client, of where that client is.
///
/// Everything is bounded, and nothing is guessed: what is not exactly a header is refused.
package struct ProxyHeader: Equatable, Sendable {
    /// Bytes of a header with all its additions (TLVs); the specification's senders stay far below.
    package static let maxLength = 4096
    /// Bytes of a version 1 line with its CR LF (section 2.1).
    static let maxLineLength = 107

    /// The client; `nil`: the proxy speaks for itself (`LOCAL`, a health check) or does not know, or the client came by a
    /// Unix socket. The socket's own address counts then.
    package var source: SocketAddress?
    /// Bytes of the header; the client's own follow.
    package var length: Int

    package enum Result: Sendable {
        case incomplete
        case header(ProxyHeader)
        /// One sentence of ASCII.
        case invalid(String)
    }

    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    /// Looks at all bytes received so far.
    package static func parse(_ bytes: ByteBuffer) -> Result {
        bytes.withUnsafeReadableBytes { whole in
            if startsAlike(whole, signature) { return whole.count < 16 ? .incomplete : binary(whole) }
            if startsAlike(whole, Array("PROXY ".utf8)) { return line(whole) }
            return .invalid("A PROXY protocol header is missing.")
        }
    }

    /// Whether the bytes there are agree with `beginning`.
    private static func startsAlike(_ bytes: UnsafeRawBufferPointer, _ beginning: [UInt8]) -> Bool {
        zip(bytes, beginning).allSatisfy { $0 == $1 }
    }
}

// MARK: - Version 1

extension ProxyHeader {
    private static func line(_ bytes: UnsafeRawBufferPointer) -> Result {
        let wrong = Result.invalid("The PROXY protocol line is malformed.")
        let window = bytes.prefix(maxLineLength)
        guard let feed = window.firstIndex(of: 0x0A) else { return bytes.count < maxLineLength ? .incomplete : wrong }
        guard feed > 0, bytes[feed - 1] == 0x0D else { return wrong }
        let words = bytes[..<(feed - 1)].split(separator: 0x20, omittingEmptySubsequences: false)
        guard words.count >= 2 else { return wrong }
        let length = feed + 1
        // Whatever follows it is to be ignored.
        if words[1].elementsEqual("UNKNOWN".utf8) { return .header(ProxyHeader(source: nil, length: length)) }
        guard words.count == 6, let source = address(words[2], words[4]), let destination = address(words[3], words[5])
        else { return wrong }
        switch (source, destination) {
        case (.v4, .v4) where words[1].elementsEqual("TCP4".utf8): break
        case (.v6, .v6) where words[1].elementsEqual("TCP6".utf8): break
        default: return wrong
        }
        return .header(ProxyHeader(source: source, length: length))
    }

    private static func address(
        _ host: Slice<UnsafeRawBufferPointer>, _ port: Slice<UnsafeRawBufferPointer>
    ) -> SocketAddress? {
        let allowed = host.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "."), UInt8(ascii: ":"):
                true
            default: false
            }
        }
        guard allowed, (1...5).contains(port.count), port.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }),
            let number = Int(String(decoding: port, as: UTF8.self)), number <= 65535
        else { return nil }
        return try? SocketAddress(ipAddress: String(decoding: host, as: UTF8.self), port: number)
    }
}

// MARK: - Version 2

extension ProxyHeader {
    /// At least the 16 fixed bytes are there.
    private static func binary(_ bytes: UnsafeRawBufferPointer) -> Result {
        guard bytes[12] >> 4 == 2, bytes[12] & 15 <= 1 else {
            return .invalid("The PROXY protocol header has an unknown version or command.")
        }
        let isLocal = bytes[12] & 15 == 0
        let (family, transport) = (bytes[13] >> 4, bytes[13] & 15)
        guard family <= 3, transport <= 2 else {
            return .invalid("The PROXY protocol header has an unknown address family.")
        }
        let size = Int(bytes[14]) << 8 | Int(bytes[15])
        let length = 16 + size
        guard length <= maxLength else {
            return .invalid("The PROXY protocol header is longer than \(maxLength) bytes.")
        }
        guard bytes.count >= length else { return .incomplete }
        let local = Result.header(ProxyHeader(source: nil, length: length))
        guard !isLocal else { return local }
        let addresses = UnsafeRawBufferPointer(rebasing: bytes[16..<length])
        // Two addresses and two ports; TLVs may follow.
        switch family {
        case 1: return proxied(addresses, addressSize: 4, length)
        case 2: return proxied(addresses, addressSize: 16, length)
        case 3: return size >= 216 ? local : .invalid("The PROXY protocol header is too short for its addresses.")
        default: return local
        }
    }

    private static func proxied(_ bytes: UnsafeRawBufferPointer, addressSize: Int, _ length: Int) -> Result {
        let ports = addressSize * 2
        guard bytes.count >= ports + 4 else {
            return .invalid("The PROXY protocol header is too short for its addresses.")
        }
        let port = Int(bytes[ports]) << 8 | Int(bytes[ports + 1])
        let packed = ByteBuffer(bytes: bytes[..<addressSize])
        guard let source = try? SocketAddress(packedIPAddress: packed, port: port) else {
            return .invalid("The PROXY protocol header holds no address.")
        }
        return .header(ProxyHeader(source: source, length: length))
    }
}
