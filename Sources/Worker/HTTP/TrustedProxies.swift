import NIOCore

/// Whose `X-Forwarded-*` fields are believed: networks, and whoever connects by a Unix socket (only a proxy on the same
/// machine can).
struct TrustedProxies: Sendable {
    private let networks: [Network]

    /// What is no address or network is left out; the configuration's loader has refused it before.
    init(_ texts: [String]) {
        networks = texts.compactMap(Network.init)
    }

    func contains(_ peer: SocketAddress?) -> Bool {
        switch peer {
        case .v4, .v6: peer.flatMap(Network.bytes).map(contains) ?? false
        case .unixDomainSocket: true
        case nil: false
        }
    }

    private func contains(_ address: [UInt8]) -> Bool {
        networks.contains { $0.contains(address) }
    }

    /// The address a request comes from: the last one in `X-Forwarded-For` that is not a trusted proxy's, if the peer is
    /// one. `nil`: the peer itself.
    func client(of peer: SocketAddress?, forwardedFor: String?) -> String? {
        guard contains(peer), let forwardedFor else { return nil }
        var farthest: String?
        for part in forwardedFor.split(separator: ",").reversed() {
            let text = String(part.filter { $0 != " " && $0 != "\t" })
            guard let address = Network.address(text) else { break }
            farthest = text
            guard contains(address) else { break }
        }
        return farthest
    }
}

/// An IPv4 or IPv6 network (CIDR, RFC 4632). IPv4 addresses mapped into IPv6 count as IPv4.
struct Network: Equatable, Sendable {
    private let bytes: [UInt8]
    private let prefix: Int

    /// `10.0.0.0/8`, `::1`, `2001:db8::/32`; `nil` when it is none.
    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = Self.address(String(first)) else { return nil }
        guard parts.count == 2 else {
            (bytes, prefix) = (address, address.count * 8)
            return
        }
        guard let length = Int(parts[1]), (0...(address.count * 8)).contains(length) else { return nil }
        (bytes, prefix) = (address, length)
    }

    func contains(_ address: [UInt8]) -> Bool {
        guard address.count == bytes.count else { return false }
        for index in 0..<bytes.count {
            let bits = min(max(prefix - index * 8, 0), 8)
            let mask = UInt8(truncatingIfNeeded: 0xFF00 >> bits)
            guard (address[index] ^ bytes[index]) & mask == 0 else { return false }
        }
        return true
    }

    /// 4 or 16 bytes; `nil` when the text is no address.
    static func address(_ text: String) -> [UInt8]? {
        (try? SocketAddress(ipAddress: text, port: 0)).flatMap(bytes)
    }

    /// The address without its port, as it lies in `sockaddr_in` and `sockaddr_in6` (ip(7), ipv6(7)).
    static func bytes(_ address: SocketAddress) -> [UInt8]? {
        address.withSockAddr { pointer, size in
            let whole = UnsafeRawBufferPointer(start: pointer, count: size)
            return switch address {
            case .v4 where size >= 8: Array(whole[4..<8])
            case .v6 where size >= 24: withoutMapping(Array(whole[8..<24]))
            default: nil
            }
        }
    }

    private static func withoutMapping(_ address: [UInt8]) -> [UInt8] {
        let mapped = address.count == 16 && address[..<10].allSatisfy { $0 == 0 } && address[10...11] == [0xFF, 0xFF]
        return mapped ? Array(address[12...]) : address
    }
}
