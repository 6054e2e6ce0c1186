import Glibc

/// Looks at a file that the configuration names, before a process needs it.
enum FileCheck {
    enum Kind: Sendable {
        /// A secret, which nobody else should read; `least`: fewest bytes.
        case secret(least: Int)
        /// A public key in PEM form (RFC 7468).
        case publicKey
        /// A JSON Web Key Set (RFC 7517).
        case keySet
        /// Certificates in PEM form.
        case certificates
        /// A private key in PEM form, which nobody else should read.
        case privateKey
    }

    enum Verdict: Equatable {
        case fine
        /// Nothing that stops the service. Follows the path in a sentence.
        case doubtful(String)
        /// Follows `which` in a sentence.
        case wrong(String)
    }

    /// Bytes that a secret should have: those of the hash that it is used with (RFC 7518 section 3.2).
    static let secretBytes = 32
    /// Bytes that a secret must have to sign webhooks.
    static let signingSecretBytes = 16
    /// Largest file, bytes.
    static let sizeMax = 1 << 20
    /// Largest file of a secret, bytes.
    static let secretSizeMax = 64 << 10

    static func look(at path: String, _ kind: Kind) -> Verdict {
        guard !path.utf8.contains(0) else { return .wrong("does not exist") }
        // Non-blocking: opening a FIFO would wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return .wrong(reason(kind)) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return .wrong(reason(kind)) }
        guard status.st_mode & S_IFMT == S_IFREG else { return .wrong("is not a regular file") }
        if let excess = excess(Int(status.st_size), kind) { return .wrong(excess) }
        guard let bytes = contents(descriptor) else { return .wrong(reason(kind)) }
        switch kind {
        case .secret(let least): return look(atSecret: bytes, least: least, mode: status.st_mode)
        case .publicKey: return look(atPublicKey: String(decoding: bytes, as: UTF8.self))
        case .keySet:
            let first = bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
            return first == UInt8(ascii: "{") ? .fine : .wrong("holds no JSON key set: {\"keys\": […]}")
        case .certificates:
            let isThere = String(decoding: bytes, as: UTF8.self).contains("-----BEGIN CERTIFICATE-----")
            return isThere ? .fine : .wrong("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
        case .privateKey: return look(atPrivateKey: String(decoding: bytes, as: UTF8.self), mode: status.st_mode)
        }
    }

    private static func look(atSecret bytes: [UInt8], least: Int, mode: mode_t) -> Verdict {
        var count = bytes.count
        if count > 0, bytes[count - 1] == UInt8(ascii: "\n") { count -= 1 }
        if count > 0, bytes[count - 1] == UInt8(ascii: "\r") { count -= 1 }
        guard count >= least else {
            return .wrong("holds \(count) bytes; it must be at least \(least): openssl rand -hex 32")
        }
        if mode & S_IROTH != 0 { return .doubtful("can be read by everybody on this machine: chmod o-r") }
        guard count < secretBytes else { return .fine }
        return .doubtful("holds \(count) bytes; a good secret has \(secretBytes): openssl rand -hex 32")
    }

    private static func look(atPublicKey text: String) -> Verdict {
        if text.contains("PRIVATE KEY-----") {
            return .wrong("holds a private key; wsd needs the public one alone: openssl pkey -in private.pem -pubout")
        }
        return text.contains("-----BEGIN ") ? .fine : .wrong("holds no PEM text (-----BEGIN PUBLIC KEY-----)")
    }

    private static func look(atPrivateKey text: String, mode: mode_t) -> Verdict {
        guard text.contains("PRIVATE KEY-----") else {
            return .wrong("holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)")
        }
        guard !text.contains("BEGIN ENCRYPTED PRIVATE KEY"), !text.contains("Proc-Type: 4,ENCRYPTED") else {
            return .wrong("is protected by a passphrase, which nobody could enter: openssl pkey -in FILE -out NEW")
        }
        return mode & S_IROTH == 0 ? .fine : .doubtful("can be read by everybody on this machine: chmod o-r")
    }

    private static func contents(_ descriptor: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: sizeMax + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes[count...].withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if got == 0 { break }
            guard got > 0 else {
                if errno == EINTR { continue }
                return nil
            }
            count += got
        }
        return Array(bytes[..<count])
    }

    private static func reason(_ kind: Kind) -> String {
        switch errno {
        case ENOENT, ENOTDIR:
            if case .secret = kind {
                "does not exist; make one: (umask 077; openssl rand -hex 32 >FILE)"
            } else {
                "does not exist"
            }
        case EACCES:
            "cannot be read: its permissions, and those of the folders above, must let this user read it"
        case let number: "cannot be read: \(String(cString: strerror(number)))"
        }
    }

    private static func excess(_ size: Int, _ kind: Kind) -> String? {
        switch kind {
        case .secret: size > secretSizeMax ? "is larger than 64 KiB; that is no secret" : nil
        case .publicKey: size > sizeMax ? "is larger than 1 MiB; that is no public key" : nil
        case .keySet: size > sizeMax ? "is larger than 1 MiB; that is no key set" : nil
        case .certificates: size > sizeMax ? "is larger than 1 MiB; those are too many certificates" : nil
        case .privateKey: size > secretSizeMax ? "is larger than 64 KiB; that is no private key" : nil
        }
    }
}
