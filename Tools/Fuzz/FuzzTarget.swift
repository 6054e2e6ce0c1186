/// Everything that reads a peer's bytes.
enum FuzzTarget: String, CaseIterable {
    case frames, deflate, handshake, response, proxy, json, simple, v1, backend, hublink, childlink

    /// Ends the program by a trap if the bytes make anything do what it must not.
    func run(_ bytes: [UInt8]) {
        switch self {
        case .frames: FrameTarget.run(bytes)
        case .deflate: DeflateTarget.run(bytes)
        case .handshake: HandshakeTarget.run(bytes)
        case .response: HandshakeTarget.runResponse(bytes)
        case .proxy: HandshakeTarget.runProxy(bytes)
        case .json: JSONTarget.run(bytes)
        case .simple: JSONTarget.runSimple(bytes)
        case .v1: JSONTarget.runV1(bytes)
        case .backend: BackendTarget.run(bytes)
        case .hublink: LinkTarget.runHub(bytes)
        case .childlink: LinkTarget.runChild(bytes)
        }
    }

    /// Inputs to begin with.
    var seeds: [[UInt8]] {
        switch self {
        case .frames: FrameTarget.seeds
        case .deflate: DeflateTarget.seeds
        case .handshake: HandshakeTarget.requests
        case .response: HandshakeTarget.responses
        case .proxy: HandshakeTarget.proxies
        case .json: JSONTarget.texts
        case .simple: JSONTarget.simple
        case .v1: JSONTarget.v1
        case .backend: BackendTarget.seeds
        case .hublink: LinkTarget.hub
        case .childlink: LinkTarget.child
        }
    }
}

/// Stops where an expectation does not hold: what was found is a fault of the code under test.
func expect(_ condition: @autoclosure () -> Bool, _ sentence: @autoclosure () -> String) {
    guard condition() else { fatalError(sentence()) }
}
