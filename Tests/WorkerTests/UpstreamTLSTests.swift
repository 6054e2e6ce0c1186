import Model
import NIOCore
import NIOPosix
import NIOSSL
import Testing

@testable import Worker

/// Connections to upstreams that speak TLS.
@Suite struct UpstreamTLSTests {
    private func listen(_ group: any EventLoopGroup) async throws -> any Channel {
        let certificate = try NIOSSLCertificate(bytes: Array(TestPair.certificate.utf8), format: .pem)
        let key = try NIOSSLPrivateKey(bytes: Array(TestPair.key.utf8), format: .pem)
        let context = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: [.certificate(certificate)], privateKey: .privateKey(key)))
        return try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                }
            }
            .bind(host: "localhost", port: 0).get()
    }

    private func connect(
        host: String, port: Int, trusting trustRoots: NIOSSLTrustRoots, _ loop: any EventLoop
    ) async throws -> UpstreamFault? {
        let promise = loop.makePromise(of: UpstreamFault?.self)
        loop.execute {
            var settings = RouteConfiguration()
            settings.upstream = .tcp(host: host, port: UInt16(port), tls: true)
            settings.connectTimeout = .seconds(5)
            UpstreamConnector(Route(settings), eventLoop: loop, trustRoots: trustRoots).connect { result in
                switch result {
                case .success(let connection):
                    promise.succeed(connection.isFresh && connection.isWritable ? nil : .closed)
                    connection.close()
                case .failure(let fault): promise.succeed(fault)
                }
            }
        }
        return try await promise.futureResult.get()
    }

    @Test func onlyKnownCertificatesOfTheRightNameAreTaken() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = try await listen(group)
        let port = try #require(listener.localAddress?.port)
        let authority = try NIOSSLCertificate(bytes: Array(TestPair.certificate.utf8), format: .pem)
        let loop = group.next()
        let good = try await connect(host: "localhost", port: port, trusting: .certificates([authority]), loop)
        #expect(good == nil)
        let unknown = try await connect(host: "localhost", port: port, trusting: .default, loop)
        #expect(unknown?.label == "tls")
        // The certificate is for the name alone.
        let address = try #require(listener.localAddress?.ipAddress)
        let other = try await connect(host: address, port: port, trusting: .certificates([authority]), loop)
        #expect(other?.label == "tls")
        try await listener.close()
    }
}
