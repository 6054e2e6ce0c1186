import Model
import NIOCore
import WebSocketProtocol
import Wire

/// What became of the WebSocket attempts that the test page marked (`?wsd-probe=ID`), since a browser does not say. Confined to
/// the event loop.
final class HandshakeNotes {
    /// Kept at a time; the oldest goes.
    static let maximum = 256
    static let lifetime = Duration.seconds(60)
    static let parameter = "wsd-probe"
    /// Characters of an ID.
    static let idLength = 16...32

    private var notes: [(id: String, at: MonotonicTime, note: HandshakeNote)] = []
    private let now: () -> MonotonicTime

    init(now: @escaping () -> MonotonicTime) {
        self.now = now
    }

    /// - Parameter status: that it was answered with; 101: accepted.
    func take(_ head: RequestHead, status: Int, reason: String?) {
        guard let query = head.query, let id = QueryText.value(of: Self.parameter, in: query), Self.isID(id) else {
            return
        }
        let note = HandshakeNote(head, status: status, reason: reason)
        if let index = notes.firstIndex(where: { $0.id == id }) {
            // What is no handshake says nothing about the one before it.
            guard note.hasKey || !notes[index].note.hasKey else { return }
            notes.remove(at: index)
        } else if notes.count == Self.maximum {
            notes.removeFirst()
        }
        notes.append((id, now(), note))
    }

    func note(of id: String) -> HandshakeNote? {
        let limit = now()
        notes.removeAll { $0.at + Self.lifetime <= limit }
        return notes.first { $0.id == id }?.note
    }

    static func isID(_ text: String) -> Bool {
        idLength.contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
            }
    }
}

/// How a handshake looked when it came, and how it was answered.
struct HandshakeNote {
    /// Of a text of the request, bytes.
    static let maxText = 256

    /// An `Upgrade` field with `websocket` came in.
    let hasUpgrade: Bool
    /// `Sec-WebSocket-Key` came in. Without `Upgrade`: a proxy has taken that away.
    let hasKey: Bool
    private let connection: String?
    private let path: String
    private let minorVersion: UInt8
    private let protocols: String?
    private let extensions: String?
    private let status: Int
    private let reason: String?

    init(_ head: RequestHead, status: Int, reason: String?) {
        hasUpgrade = head.contains("websocket", in: "upgrade")
        hasKey = head.count("sec-websocket-key") > 0
        connection = head.joined("connection").map(Self.cut)
        path = Self.cut(String(head.path))
        minorVersion = head.minorVersion
        protocols = head.joined("sec-websocket-protocol").map(Self.cut)
        extensions = head.joined("sec-websocket-extensions").map(Self.cut)
        self.status = status
        self.reason = reason
    }

    func write(into out: inout ByteBuffer) {
        out.writeString(
            "{\"upgrade\":\(hasUpgrade),\"key\":\(hasKey),\"status\":\(status),\"httpVersion\":\"1.\(minorVersion)\"")
        out.writeProbeField("path", path)
        out.writeProbeField("connection", connection)
        out.writeProbeField("protocols", protocols)
        out.writeProbeField("extensions", extensions)
        out.writeProbeField("reason", reason)
        out.writeString("}")
    }

    static func cut(_ text: String) -> String { String(decoding: text.utf8.prefix(maxText), as: UTF8.self) }
}

extension ByteBuffer {
    /// `,"name":"text"`, or null.
    mutating func writeProbeField(_ name: StaticString, _ text: String?) {
        writeString(",\"\(name)\":")
        if let text { JSONWriter.writeString(text, into: &self) } else { writeString("null") }
    }
}
