import Model

/// Where to listen, put together from all layers, weakest first.
///
/// A stronger layer replaces the whole list of the weaker ones. One that names only a host or only a port takes the other half
/// from the first TCP address of the list it replaces, except that `PORT`, set by a platform, always means all addresses.
struct ListenLayer {
    private var addresses: [ListenAddress]
    private var origin: Origin?
    private let defaultAddress: ListenAddress
    private(set) var warnings: [String] = []

    /// - Parameter assignments: Those of `listen`, one a layer at most.
    init(
        mode: RunMode, assignments: [Assignment], environment: [String: String], flags: ConfigurationFlags,
        into assembly: inout ConfigurationAssembly
    ) {
        defaultAddress = .tcp(host: mode == .dev ? "127.0.0.1" : nil, port: 8080)
        addresses = [defaultAddress]
        func variable(_ name: String) -> Half? {
            guard let text = environment[name], !text.isEmpty else { return nil }
            return Half(text: text, origin: Origin(layer: .environment, named: "environment \(name)"), name: name)
        }
        func flag(_ name: String, _ text: String?) -> Half? {
            text.map { Half(text: $0, origin: Origin(layer: .flags, named: name), name: name) }
        }
        apply(assignments.first { $0.origin.layer == .file }, to: &assembly)
        applyPlatform(variable("PORT"), variable("WEBSOCKET_PORT"), to: &assembly)
        let ownHost = variable("WSD_HOST")
        let ownPort = variable("WSD_PORT")
        let environmentList = assignments.first { $0.origin.layer == .environment }
        apply(environmentList, ownHost, ownPort, to: &assembly)
        let flagList = assignments.first { $0.origin.layer == .flags }
        apply(flagList, flag("--host", flags.host), flag("--port", flags.port), to: &assembly)
        assembly.listen(on: addresses, origin: origin)
    }

    /// A host or a port, as written.
    private struct Half {
        var text: String
        var origin: Origin
        var name: String
    }

    private mutating func apply(_ list: Assignment?, to assembly: inout ConfigurationAssembly) {
        guard let list else { return }
        assembly.assign(list)
        addresses = assembly.configuration.listen
        origin = list.origin
    }

    private mutating func apply(
        _ list: Assignment?, _ host: Half?, _ port: Half?, to assembly: inout ConfigurationAssembly
    ) {
        apply(list, to: &assembly)
        guard let half = host ?? port else { return }
        if let list {
            let message = "\(half.name) and \(list.origin.text) exclude each other; name the addresses in one of them"
            assembly.refuse(message, "listen", half.origin.problem)
            return
        }
        let replaced = addresses.lazy.compactMap(Self.tcp).first ?? Self.tcp(defaultAddress)
        let newHost = host.map { read(host: $0, &assembly) } ?? replaced?.host
        let newPort = port.map { read(port: $0, &assembly) } ?? replaced?.port ?? 8080
        addresses = [.tcp(host: newHost, port: newPort)]
        let previous = origin
        origin = half.origin
        origin?.text = [host?.origin, port?.origin].compactMap { $0?.text }.joined(separator: ", ")
        // The other half still comes from there.
        if host == nil || port == nil, let previous { origin?.text += ", \(previous.text)" }
    }

    private mutating func applyPlatform(_ port: Half?, _ other: Half?, to assembly: inout ConfigurationAssembly) {
        guard let used = port ?? other else { return }
        if let port, let other, port.text != other.text {
            let texts = [ShownText.plain(port.text), ShownText.plain(other.text)]
            warnings.append("PORT (\(texts[0])) and WEBSOCKET_PORT (\(texts[1])) differ; PORT is used")
        }
        addresses = [.tcp(host: nil, port: read(port: used, &assembly))]
        origin = used.origin
        origin?.layer = .platform
    }

    private func read(host: Half, _ assembly: inout ConfigurationAssembly) -> String? {
        if host.text == "*" { return nil }
        let bracketed = host.text.hasPrefix("[") && host.text.hasSuffix("]")
        let name = bracketed ? String(host.text.dropFirst().dropLast()) : host.text
        guard NetworkText.isHost(name), !bracketed || name.contains(":") else {
            let message =
                "\(host.name) is \(ShownText.quoted(host.text)); it must be a host name or address such as localhost, 0.0.0.0 or ::, "
                + "or * for all addresses"
            assembly.refuse(message, "listen", host.origin.problem)
            return nil
        }
        return name
    }

    private func read(port: Half, _ assembly: inout ConfigurationAssembly) -> UInt16 {
        if port.text.isDecimal, let number = UInt16(port.text) { return number }
        // What a Kubernetes service named `wsd` puts into its pods' environment.
        let hint =
            port.text.hasPrefix("tcp://")
            ? "; Kubernetes sets this for a service named wsd: set enableServiceLinks: false, or rename the service"
            : ""
        assembly.refuse(
            "\(port.name) is \(ShownText.quoted(port.text)); it must be a port number from 0 to 65,535\(hint)",
            "listen",
            port.origin.problem)
        return 0
    }

    private static func tcp(_ address: ListenAddress) -> (host: String?, port: UInt16)? {
        if case .tcp(let host, let port) = address { (host, port) } else { nil }
    }
}
