import Model
import Wire

/// What stands in a token whose signature is good.
struct TokenClaims {
    private(set) var identity = ClientIdentity.anonymous
    private(set) var notBefore: Double?
    private(set) var issuer: String?
    private(set) var audiences: [String] = []

    init(_ json: [UInt8]) throws(TokenFailure) {
        guard String(validating: json, as: UTF8.self) != nil else { throw .malformed }
        var fields = IdentityFields()
        var wrong: TokenClaim?
        do {
            try json.withUnsafeBytes { bytes in
                try JSONScanner.scanObject(bytes) { key, value in
                    guard let name = JSONString.text(key, in: bytes), let claim = TokenClaim(rawValue: name) else {
                        return
                    }
                    if !take(claim, value, bytes, &fields) { wrong = claim }
                }
            }
        } catch {
            throw .malformed
        }
        if let wrong { throw .wrongClaim(wrong) }
        identity.user = fields.user
        identity.info = fields.info
        identity.rooms = fields.rooms
        identity.grants = fields.grants
        identity.expiresAt = fields.expiresAt
    }

    /// `false`: the claim is not what it has to be.
    private mutating func take(
        _ claim: TokenClaim, _ value: JSONSlice, _ bytes: UnsafeRawBufferPointer, _ fields: inout IdentityFields
    ) -> Bool {
        switch claim {
        case .subject: return fields.readUser(value, in: bytes)
        case .end: return value.kind == .number && fields.readEnd(value, in: bytes)
        case .info: return fields.readInfo(value, in: bytes)
        case .rooms: return fields.readRooms(value, in: bytes)
        case .rights: return fields.readRights(value, in: bytes)
        case .start:
            notBefore = IdentityFields.seconds(value, in: bytes)
            return notBefore != nil
        case .issuer:
            issuer = JSONString.text(value, in: bytes)
            return issuer != nil
        case .audience:
            guard let texts = IdentityFields.texts(value, in: bytes) else { return false }
            audiences = texts
            return true
        }
    }
}
