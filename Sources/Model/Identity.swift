/// What a client may do in a room. The raw values stand in tokens, in webhook answers and in the configuration.
package enum RoomRight: String, Hashable, Sendable, Codable, CaseIterable {
    case join
    case publish
    case presence
    case history
}

/// Rights in all rooms whose name fits a pattern: a claim of a token, or part of a connect webhook's answer.
package struct RoomGrant: Hashable, Sendable, Codable {
    /// A ``RoomPattern``.
    package var rooms: String
    package var allow: Set<RoomRight>

    package init(rooms: String, allow: Set<RoomRight>) {
        self.rooms = rooms
        self.allow = allow
    }
}

/// Who a client is, as its token or the connect webhook says.
package struct ClientIdentity: Hashable, Sendable, Codable {
    /// `nil`: anonymous.
    package var user: UserName?
    /// JSON text that others see in presence and joins; at most ``maxInfoLength`` bytes.
    package var info: String?
    /// Seconds since 1970 when the identity ends unless it is refreshed; `nil`: never.
    package var expiresAt: Double?
    package var grants: [RoomGrant] = []
    /// Rooms the client is made a member of at once; no right to join them is needed.
    package var rooms: [RoomName] = []
    /// JSON text for the client alone, from the connect webhook.
    package var data: String?

    package static let maxInfoLength = 4096

    package init(user: UserName? = nil) {
        self.user = user
    }

    package static let anonymous = ClientIdentity()
}

/// A pattern over room names: `*` stands for any run of characters (also none), `{user}` for the client's own user name
/// (and then fits no anonymous client); everything else for itself.
package struct RoomPattern: Hashable, Sendable {
    private enum Piece: Hashable {
        case literal([UInt8])
        case anything
        case user
    }

    package let text: String
    private let pieces: [Piece]

    package init(_ text: String) {
        self.text = text
        var pieces: [Piece] = []
        var literal: [UInt8] = []
        var rest = text.utf8[...]
        let placeholder = Array("{user}".utf8)
        func flush() {
            if !literal.isEmpty { pieces.append(.literal(literal)) }
            literal = []
        }
        while let byte = rest.first {
            if byte == UInt8(ascii: "*") {
                flush()
                if pieces.last != .anything { pieces.append(.anything) }
                rest = rest.dropFirst()
            } else if rest.starts(with: placeholder) {
                flush()
                pieces.append(.user)
                rest = rest.dropFirst(placeholder.count)
            } else {
                literal.append(byte)
                rest = rest.dropFirst()
            }
        }
        flush()
        self.pieces = pieces
    }

    /// Whether it has a place for the user's name.
    package var hasUser: Bool { pieces.contains(.user) }

    /// Whether a room fits, for a client that is `user`. Linear in the name for each `*`.
    package func matches(_ room: RoomName, user: UserName?) -> Bool {
        if user == nil, pieces.contains(.user) { return false }
        return fits(room, user: user.map { Array($0.text.utf8) })
    }

    /// Whether a room fits for some user.
    package func matchesAnyUser(_ room: RoomName) -> Bool { fits(room, user: nil) }

    /// `user` `nil`: any text may stand for it.
    private func fits(_ room: RoomName, user: [UInt8]?) -> Bool {
        let literals = pieces.map { piece -> [UInt8]? in
            switch piece {
            case .literal(let bytes): bytes
            case .user: user
            case .anything: nil
            }
        }
        return Self.fits(literals[...], Array(room.text.utf8)[...])
    }

    /// Greedy with one point of return: the last `*` (the usual glob algorithm), so that no pattern is exponential.
    private static func fits(_ pieces: ArraySlice<[UInt8]?>, _ name: ArraySlice<UInt8>) -> Bool {
        var piece = pieces.startIndex
        var rest = name
        var star: (piece: Int, rest: ArraySlice<UInt8>)?
        while true {
            if piece < pieces.endIndex {
                if let literal = pieces[piece] {
                    if rest.starts(with: literal) {
                        rest = rest.dropFirst(literal.count)
                        piece += 1
                        continue
                    }
                } else {
                    star = (piece, rest)
                    piece += 1
                    continue
                }
            } else if rest.isEmpty {
                return true
            }
            guard let last = star, !last.rest.isEmpty else { return false }
            star = (last.piece, last.rest.dropFirst())
            rest = last.rest.dropFirst()
            piece = last.piece + 1
        }
    }
}
