import FoundationEssentials
import JWTKit

/// Reads the files that hold keys. Errors name the file and the way out, never what stands in it.
enum KeyFile {
    /// Bytes.
    static let maxSize = 1024 * 1024
    /// Bytes of an HS256 secret at least (RFC 7518 section 3.2).
    static let minSecret = 32

    /// All bytes but one trailing line break.
    static func secret(_ path: String) throws(AuthenticationError) -> TokenKey {
        var bytes = try read(path, "auth.secretFile")
        if bytes.last == 0x0A { bytes.removeLast() }
        if bytes.last == 0x0D { bytes.removeLast() }
        guard bytes.count >= minSecret else {
            throw AuthenticationError(
                "The secret in \(path) (auth.secretFile) is shorter than \(minSecret) bytes;"
                    + " make one with `openssl rand -base64 48`.")
        }
        return TokenKey(algorithm: "HS256", material: .secret(HMACKey(from: bytes)))
    }

    /// PEM of an RSA, P-256 or Ed25519 public key.
    static func publicKey(_ path: String) throws(AuthenticationError) -> TokenKey {
        let text = String(decoding: try read(path, "auth.publicKeyFile"), as: UTF8.self)
        guard !text.contains("PRIVATE KEY-----") else {
            throw AuthenticationError(
                "\(path) (auth.publicKeyFile) holds a private key; give only the public one"
                    + " (openssl pkey -in private.pem -pubout -out public.pem).")
        }
        if let key = try? ES256PublicKey(pem: text) { return TokenKey(algorithm: "ES256", material: .p256(key)) }
        if let key = try? EdDSA.PublicKey(pem: text) { return TokenKey(algorithm: "EdDSA", material: .edwards(key)) }
        if let key = try? Insecure.RSA.PublicKey(pem: text) {
            return TokenKey(algorithm: "RS256", material: .rsa(key, .sha256, isPSS: false))
        }
        throw AuthenticationError(
            "\(path) (auth.publicKeyFile) is no PEM file of an RSA (2048 bits or more), P-256 or Ed25519 public key.")
    }

    /// The usable keys of a set (RFC 7517 section 5); those of other kinds and uses are passed over.
    static func keySet(_ path: String) throws(AuthenticationError) -> [TokenKey] {
        let bytes = try read(path, "auth.jwksFile")
        guard let set = try? JSONDecoder().decode(KeySet.self, from: Data(bytes)) else {
            throw AuthenticationError("\(path) (auth.jwksFile) is no JSON Web Key Set: {\"keys\": [...]}.")
        }
        var keys: [TokenKey] = []
        for entry in set.keys {
            guard let fields = entry.fields, let key = try fields.key(path) else { continue }
            guard !keys.contains(where: { $0.identifier == key.identifier && $0.algorithm == key.algorithm }) else {
                throw AuthenticationError(
                    "\(path) (auth.jwksFile) holds two keys with the same kid (or none) for \(key.algorithm);"
                        + " give each a kid of its own.")
            }
            keys.append(key)
        }
        guard !keys.isEmpty else {
            throw AuthenticationError(
                "\(path) (auth.jwksFile) holds no usable key: RSA (2048 bits or more), EC or OKP (Ed25519), for signatures."
            )
        }
        return keys
    }

    private static func read(_ path: String, _ name: String) throws(AuthenticationError) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw AuthenticationError("\(path) (\(name)) cannot be read; check that it exists and who may read it.")
        }
        guard data.count <= maxSize else {
            throw AuthenticationError("\(path) (\(name)) is larger than \(maxSize) bytes; it is no key file.")
        }
        return Array(data)
    }
}

/// A key set whose entries need not be understood.
private struct KeySet: Decodable {
    struct Entry: Decodable {
        let fields: KeyFields?

        init(from decoder: any Decoder) throws {
            fields = try? KeyFields(from: decoder)
        }
    }

    let keys: [Entry]
}

/// The members of a JSON Web Key that count (RFC 7517 section 4, RFC 7518 section 6). Private members are not even read.
private struct KeyFields: Decodable {
    let kty: String
    let use: String?
    let key_ops: [String]?
    let alg: String?
    let kid: String?
    let n: String?
    let e: String?
    let crv: String?
    let x: String?
    let y: String?

    /// `nil`: a kind or use that is not for us.
    func key(_ path: String) throws(AuthenticationError) -> TokenKey? {
        guard use ?? "sig" == "sig", key_ops?.contains("verify") ?? true, let algorithm else { return nil }
        do {
            return try material(algorithm).map { TokenKey(identifier: kid, algorithm: algorithm, material: $0) }
        } catch {
            let name = kid.map { "the key \($0.prefix(64))" } ?? "a key without kid"
            throw AuthenticationError(
                "\(path) (auth.jwksFile): \(name) cannot be used (\(algorithm); RSA needs 2048 bits or more).")
        }
    }

    private var algorithm: String? {
        switch (kty, crv) {
        case ("RSA", _): alg ?? "RS256"
        case ("EC", "P-256"): matching("ES256")
        case ("EC", "P-384"): matching("ES384")
        case ("EC", "P-521"): matching("ES512")
        case ("OKP", "Ed25519"): matching("EdDSA")
        default: nil
        }
    }

    private func matching(_ name: String) -> String? { alg ?? name == name ? name : nil }

    private func material(_ algorithm: String) throws -> TokenKey.Material? {
        switch algorithm {
        case "RS256": .rsa(try rsa(), .sha256, isPSS: false)
        case "RS384": .rsa(try rsa(), .sha384, isPSS: false)
        case "RS512": .rsa(try rsa(), .sha512, isPSS: false)
        case "PS256": .rsa(try rsa(), .sha256, isPSS: true)
        case "PS384": .rsa(try rsa(), .sha384, isPSS: true)
        case "PS512": .rsa(try rsa(), .sha512, isPSS: true)
        case "ES256": .p256(try ES256PublicKey(parameters: (x ?? "", y ?? "")))
        case "ES384": .p384(try ES384PublicKey(parameters: (x ?? "", y ?? "")))
        case "ES512": .p521(try ES512PublicKey(parameters: (x ?? "", y ?? "")))
        case "EdDSA": .edwards(try EdDSA.PublicKey(x: x ?? "", curve: .ed25519))
        default: nil
        }
    }

    private func rsa() throws -> Insecure.RSA.PublicKey {
        try Insecure.RSA.PublicKey(modulus: n ?? "", exponent: e ?? "")
    }
}
