import JWTKit

/// One key that tokens may be signed with, for one algorithm.
struct TokenKey: Sendable {
    enum Material: Sendable {
        case secret(HMACKey)
        case rsa(Insecure.RSA.PublicKey, DigestAlgorithm, isPSS: Bool)
        case p256(ES256PublicKey)
        case p384(ES384PublicKey)
        case p521(ES512PublicKey)
        case edwards(EdDSA.PublicKey)
    }

    /// `kid`; only keys of a set have one.
    let identifier: String?
    /// `alg` (RFC 7518 section 3.1) of the tokens it is good for; no others.
    let algorithm: String
    private let signatures: Signatures

    init(identifier: String? = nil, algorithm: String, material: Material) {
        self.identifier = identifier
        self.algorithm = algorithm
        signatures = Signatures(material)
    }

    func verifies(_ signature: [UInt8], of signed: [UInt8]) async -> Bool {
        await signatures.verifies(signature, of: signed)
    }
}

/// JWTKit hands out its algorithms only from a collection of keys: one for each key, so that its choice among keys (the
/// default one for an unknown `kid`) is never asked for.
private actor Signatures {
    private let material: TokenKey.Material
    private var algorithm: (any JWTAlgorithm)?

    init(_ material: TokenKey.Material) {
        self.material = material
    }

    func verifies(_ signature: [UInt8], of signed: [UInt8]) async -> Bool {
        guard let algorithm = await prepared() else { return false }
        // Malformed signatures are thrown for by some algorithms.
        return (try? algorithm.verify(signature, signs: signed)) ?? false
    }

    private func prepared() async -> (any JWTAlgorithm)? {
        if let algorithm { return algorithm }
        let keys = JWTKeyCollection()
        switch material {
        case .secret(let key): await keys.add(hmac: key, digestAlgorithm: .sha256)
        case .rsa(let key, let digest, isPSS: false): await keys.add(rsa: key, digestAlgorithm: digest)
        case .rsa(let key, let digest, isPSS: true): await keys.add(pss: key, digestAlgorithm: digest)
        case .p256(let key): await keys.add(ecdsa: key)
        case .p384(let key): await keys.add(ecdsa: key)
        case .p521(let key): await keys.add(ecdsa: key)
        case .edwards(let key): await keys.add(eddsa: key)
        }
        algorithm = try? await keys.getKey()
        return algorithm
    }
}
