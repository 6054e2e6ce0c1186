/// What limits for each address count by: an IPv4 address, an IPv6 /64 (what one subscriber has at least).
enum AddressKey {
    /// `203.0.113.9`, `2001:db8:0:1::/64`; empty for what is no IP address (a Unix socket): not counted.
    static func text(of address: String) -> String {
        Network.address(address).map(text) ?? ""
    }

    /// - Parameter address: 4 or 16 bytes.
    private static func text(_ address: [UInt8]) -> String {
        guard address.count == 16 else { return address.map { String($0) }.joined(separator: ".") }
        let groups = stride(from: 0, to: 8, by: 2).map { UInt16(address[$0]) << 8 | UInt16(address[$0 + 1]) }
        return groups.map { String($0, radix: 16) }.joined(separator: ":") + "::/64"
    }
}
