import NIOCore

extension SocketAddress {
    /// The address without its port, as operators write it: IPv4 without the IPv6 mapping of a dual-stack socket.
    var wsdText: String {
        guard let text = ipAddress else { return "unix" }
        return text.hasPrefix("::ffff:") && text.contains(".") ? String(text.dropFirst(7)) : text
    }
}
