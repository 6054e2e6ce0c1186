import Glibc
import Model
import NIOCore
import NIOSSL

/// Certificate, key and what else new TLS connections are made with.
struct TLSPair: Sendable {
    let context: NIOSSLContext
    /// When the certificate's time begins and ends, seconds since 1970. Not that of the others in the file, some of which
    /// nobody may need.
    let notBefore: Int
    let notAfter: Int
    /// The files that it was read from, as they were right before.
    let stamps: TLSFileStamps

    /// How long a peer may take to answer our close_notify. It has been told everything by then.
    static let shutdownTimeout = TimeAmount.seconds(2)
    /// Forward secrecy and authenticated encryption (RFC 9325 section 4.2); TLS 1.3 has no others.
    static let ciphers: [NIOTLSCipher] = [
        .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ]

    /// Reads the files; not for an event loop.
    ///
    /// - Throws: a sentence that names the key and the file.
    static func load(_ configuration: Model.TLSConfiguration) throws(TLSPairError) -> TLSPair {
        guard let certificatePath = configuration.certificate, let keyPath = configuration.key else {
            throw TLSPairError("tls.certificate and tls.key have to be set.")
        }
        let stamps = TLSFileStamps(configuration)
        let chain = try certificates(certificatePath, "tls.certificate")
        let key = try privateKey(keyPath)
        var settings = NIOSSL.TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        settings.minimumTLSVersion = configuration.minimumVersion == .tls13 ? .tlsv13 : .tlsv12
        settings.cipherSuiteValues = ciphers
        settings.applicationProtocols = ["http/1.1"]
        settings.shutdownTimeout = shutdownTimeout
        if configuration.clientCertificates != .none, let authority = configuration.clientAuthority {
            settings.trustRoots = .certificates(try certificates(authority, "tls.clientAuthority"))
            settings.certificateVerification =
                configuration.clientCertificates == .required ? .noHostnameVerification : .optionalVerification
            settings.sendCANameList = true
        }
        let context: NIOSSLContext
        do {
            context = try NIOSSLContext(configuration: settings)
        } catch {
            throw TLSPairError(
                "\(keyPath) (tls.key) is not the key of the first certificate in \(certificatePath) (tls.certificate); "
                    + "the certificate itself has to stand before those of its authority.")
        }
        return TLSPair(
            context: context, notBefore: Int(chain[0].notValidBefore), notAfter: Int(chain[0].notValidAfter),
            stamps: stamps)
    }

    private static func certificates(_ path: String, _ name: String) throws(TLSPairError) -> [NIOSSLCertificate] {
        let bytes = try TLSFileStamps.contents(path, name)
        let found: [NIOSSLCertificate]
        do {
            found = try NIOSSLCertificate.fromPEMBytes(bytes)
        } catch {
            throw TLSPairError("\(path) (\(name)) holds no certificate in PEM form that can be read.")
        }
        guard !found.isEmpty else { throw TLSPairError("\(path) (\(name)) holds no certificate in PEM form.") }
        return found
    }

    private static func privateKey(_ path: String) throws(TLSPairError) -> NIOSSLPrivateKey {
        let bytes = try TLSFileStamps.contents(path, "tls.key")
        let text = String(decoding: bytes, as: UTF8.self)
        guard !text.contains("BEGIN ENCRYPTED PRIVATE KEY"), !text.contains("Proc-Type: 4,ENCRYPTED") else {
            throw TLSPairError("\(path) (tls.key) is protected by a passphrase, which nobody could enter.")
        }
        do {
            return try NIOSSLPrivateKey(bytes: bytes, format: .pem)
        } catch {
            throw TLSPairError("\(path) (tls.key) holds no private key in PEM form that can be read.")
        }
    }
}

/// Why a pair cannot be used: a sentence.
struct TLSPairError: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// What tells the files of a pair from later ones of the same names.
struct TLSFileStamps: Equatable, Sendable {
    /// Largest file that is read, bytes.
    static let maxSize = 1 << 20

    private var files: [Stamp?]

    private struct Stamp: Equatable {
        var device: UInt64
        var inode: UInt64
        var size: Int
        /// Of the last change to the contents or to who may read them (inode(7): ctime).
        var seconds: Int
        var nanoseconds: Int
    }

    /// Looks at the files; not for an event loop.
    init(_ configuration: Model.TLSConfiguration) {
        let authority = configuration.clientCertificates == .none ? nil : configuration.clientAuthority
        files = [configuration.certificate, configuration.key, authority].map { $0.flatMap(Self.stamp) }
    }

    private static func stamp(_ path: String) -> Stamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Stamp(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int(status.st_size),
            seconds: status.st_ctim.tv_sec, nanoseconds: status.st_ctim.tv_nsec)
    }

    static func contents(_ path: String, _ name: String) throws(TLSPairError) -> [UInt8] {
        // Non-blocking: opening a FIFO would wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw TLSPairError("\(path) (\(name)) cannot be read: \(String(cString: strerror(errno))).")
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: maxSize + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes[count...].withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if got == 0 { break }
            guard got > 0 else {
                if errno == EINTR { continue }
                throw TLSPairError("\(path) (\(name)) cannot be read: \(String(cString: strerror(errno))).")
            }
            count += got
        }
        guard count <= maxSize else { throw TLSPairError("\(path) (\(name)) is larger than \(maxSize) bytes.") }
        return Array(bytes[..<count])
    }
}
