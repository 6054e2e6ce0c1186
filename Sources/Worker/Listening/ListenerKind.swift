import Model
import Wire

/// What is spoken on a listening socket.
enum ListenerKind: Hashable, CaseIterable {
    case plain
    case tls
    /// Plain HTTP that is sent to https.
    case redirect

    /// Those of the inherited descriptors, which are in this order.
    static func all(_ child: ChildConfiguration) -> [ListenerKind] {
        let speaksTLS = child.configuration.tls.isOn
        return child.listeners.map { address in
            if case .tcp = address, speaksTLS { .tls } else { .plain }
        } + child.redirects.map { _ in .redirect }
    }
}

extension ChildConfiguration {
    /// Port of the first address that speaks TLS; `nil`: there is none.
    var securePort: UInt16? {
        guard configuration.tls.isOn else { return nil }
        return listeners.lazy.compactMap { if case .tcp(_, let port) = $0 { port } else { nil } }.first
    }
}
