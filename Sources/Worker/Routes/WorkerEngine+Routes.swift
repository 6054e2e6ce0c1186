import Logging
import Model
import NIOCore
import NIOHTTP1
import WebSocketProtocol

extension WorkerEngine {
    /// Hands a channel whose own handlers have left to an upstream, of which its request asks for another protocol.
    func openTunnel(on channel: any Channel, head: RequestHead, route: Route, leftover: ByteBuffer) {
        guard let routes = http?.routes else {
            channel.close(promise: nil)
            return
        }
        let handler = TunnelHandler(HTTPRequestHead(head), route: route, routes: routes, leftover: leftover)
        do {
            if let options = channel.syncOptions {
                try options.setOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator())
                try options.setOption(.maxMessagesPerRead, value: RouteLimits.readsPerTurn)
            }
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            logger.debug("A tunnel failed", metadata: ["error": "\(error)"])
            channel.close(promise: nil)
            return
        }
        routes.opened(handler)
        handler.begin()
    }
}

extension HTTPRequestHead {
    fileprivate init(_ head: RequestHead) {
        self.init(
            version: HTTPVersion(major: 1, minor: Int(head.minorVersion)), method: HTTPMethod(rawValue: head.method),
            uri: head.target, headers: HTTPHeaders(head.fields.map { ($0.name, $0.value) }))
    }
}
