import Glibc
import Model
import NIOCore
import NIOEmbedded
import NIOSSL

@testable import Worker

/// A certificate that signs itself (`O=Example, Inc.`, `CN=alice`, localhost), good for a hundred years, for tests alone.
enum TestPair {
    static let sha256 = "d4dffc23e179b13862aa23187b093bad7c3da80ce3f188d67566c74a7e6a5c41"

    static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBvTCCAWOgAwIBAgIUVfJyKmaRFTnxdeIPpiyGy/67cDMwCgYIKoZIzj0EAwIw
        KDEWMBQGA1UECgwNRXhhbXBsZSwgSW5jLjEOMAwGA1UEAwwFYWxpY2UwIBcNMjYx
        MTIxMTY0NTU0WhgPMjEyNjEwMjgxNjQ1NTRaMCgxFjAUBgNVBAoMDUV4YW1wbGUs
        IEluYy4xDjAMBgNVBAMMBWFsaWNlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
        ZG0UuzMrKVtqZWQmv9cl3qxO0aZ+7Z/DyZiZbrQDsOzLwd9c/ClNvDmdfM283oD8
        LnLw2vNub6+BgXJuE7mr2KNpMGcwHQYDVR0OBBYEFPtlUG9Ruj2PQzvsG15DlH1F
        82KqMB8GA1UdIwQYMBaAFPtlUG9Ruj2PQzvsG15DlH1F82KqMA8GA1UdEwEB/wQF
        MAMBAf8wFAYDVR0RBA0wC4IJbG9jYWxob3N0MAoGCCqGSM49BAMCA0gAMEUCIQDx
        Vw7EMOi5Vg6qSJBmB4rFCGIlFTUlyLwMLcT/53hMKAIgUpiULdAy3ydE5s+Gko5a
        8RnHBGFtgTGKuQEMAAV1vnI=
        -----END CERTIFICATE-----
        """

    static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgsDMzwoDAAezFSKtD
        oyods0UKo1U8I5OFnlxpHdLBrXihRANCAARkbRS7MyspW2plZCa/1yXerE7Rpn7t
        n8PJmJlutAOw7MvB31z8KU28OZ18zbzegPwucvDa825vr4GBcm4TuavY
        -----END PRIVATE KEY-----
        """

    /// Of no certificate here.
    static let otherKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJKGsGLZRU70pQejC
        7TwYBXMbMx4WdfIAerxbMHBVMkuhRANCAARaGw+YhaCJxxCpQlP80qH5X7Fq1jCa
        /ENJNGo1esAxJVFtyFXAwHOGCwP/cHJ2SCDN+mcKaRNGJsDtuTRz2XHt
        -----END PRIVATE KEY-----
        """
}

/// The files of a pair in a folder of their own.
final class TLSFolder {
    let path: String
    var configuration = Model.TLSConfiguration()

    init(certificate: String = TestPair.certificate, key: String = TestPair.key) {
        var template = Array("/tmp/wsd-tls-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? ""
        configuration.certificate = path + "/cert.pem"
        configuration.key = path + "/key.pem"
        configuration.clientAuthority = path + "/cert.pem"
        put(certificate, "cert.pem")
        put(key, "key.pem")
    }

    deinit {
        for name in ["cert.pem", "key.pem"] { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    func put(_ text: String, _ name: String) {
        unlink("\(path)/\(name)")
        guard let file = fopen("\(path)/\(name)", "w") else { return }
        fputs(text, file)
        fclose(file)
    }
}

/// A TLS client in memory, and the accepted channel that it speaks with.
final class TLSClient {
    let channel: EmbeddedChannel
    let serverChannel: EmbeddedChannel
    private let worker: WorkerHarness

    /// - Parameter showsCertificate: as the client's own.
    init(_ worker: WorkerHarness, showsCertificate: Bool = false, version: TLSVersion? = nil) throws {
        var settings = NIOSSL.TLSConfiguration.makeClientConfiguration()
        settings.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(TestPair.certificate.utf8)))
        settings.maximumTLSVersion = version
        if showsCertificate {
            settings.certificateChain = [
                .certificate(try NIOSSLCertificate(bytes: Array(TestPair.certificate.utf8), format: .pem))
            ]
            settings.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(TestPair.key.utf8), format: .pem))
        }
        let handler = try NIOSSLClientHandler(
            context: NIOSSLContext(configuration: settings), serverHostname: "localhost")
        self.worker = worker
        serverChannel = EmbeddedChannel(loop: worker.loop)
        try serverChannel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 5000)).wait()
        try worker.engine.admit(serverChannel, from: .tls)
        channel = EmbeddedChannel(handler: handler, loop: worker.loop)
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.2", port: 443)).wait()
    }

    /// Carries bytes between the two until both are silent.
    func pump() throws {
        var moved = true
        while moved {
            moved = false
            worker.loop.run()
            while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
                moved = true
                if serverChannel.isActive { try serverChannel.writeInbound(bytes) }
            }
            worker.loop.run()
            while let bytes = try serverChannel.readOutbound(as: ByteBuffer.self) {
                moved = true
                if channel.isActive { try channel.writeInbound(bytes) }
            }
        }
    }

    func send(_ bytes: ByteBuffer) throws {
        channel.writeAndFlush(bytes, promise: nil)
        try pump()
    }

    /// What came, decrypted.
    func received() throws -> ByteBuffer {
        try pump()
        var all = ByteBuffer()
        while var bytes = try channel.readInbound(as: ByteBuffer.self) { all.writeBuffer(&bytes) }
        return all
    }
}
