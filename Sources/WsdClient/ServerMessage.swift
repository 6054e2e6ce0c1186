import Wire

/// One object from the server, understood as far as the client's own decisions need it.
struct ServerMessage {
    enum Kind {
        case connected(client: String, session: String?, user: String?, pingInterval: Duration?, expiresIn: Double?)
        case reply(id: UInt64, data: String)
        case failure(id: UInt64?, Failure)
        case message(WsdMessage)
        case reconnect(after: Duration)
        case expiring
        case joined(WsdJoin)
        case left(room: String)
        case gap(room: String, reason: String)
        case other(type: String)
    }

    struct Failure {
        var code = "unknown"
        var message = ""
        var isTemporary = false
        var retryAfter: Duration?

        var error: WsdClientError { .refused(code: code, message: message) }
    }

    var kind: Kind
    var json: String

    /// The objects of one text frame; `nil`: not of the protocol.
    static func parse(_ bytes: UnsafeRawBufferPointer) -> [ServerMessage]? {
        guard let whole = try? JSONScanner.scanValue(bytes) else { return nil }
        switch whole.kind {
        case .object:
            return ServerMessage(bytes).map { [$0] }
        case .array:
            var messages: [ServerMessage] = []
            do throws(JSONError) {
                try JSONScanner.scanArray(bytes) { element in
                    let object = UnsafeRawBufferPointer(rebasing: bytes[element.range])
                    if let message = ServerMessage(object) { messages.append(message) }
                }
            } catch {
                return nil
            }
            return messages
        case .string, .number, .boolean, .null:
            return nil
        }
    }

    private init?(_ bytes: UnsafeRawBufferPointer) {
        guard let object = JSONObject(bytes), let type = object.text("type"), let kind = Self.kind(type, object) else {
            return nil
        }
        self.kind = kind
        // Only events handed on as text need it.
        if case .other = kind { json = object.json } else { json = "" }
    }

    private static func kind(_ type: String, _ object: JSONObject) -> Kind? {
        switch type {
        case "message":
            guard let room = object.text("room"), let data = object.raw("data") else { return nil }
            return .message(
                WsdMessage(
                    room: room, offset: object.number("offset") ?? 0, epoch: object.text("epoch"),
                    id: object.text("id"),
                    data: data))
        case "reply":
            guard let id: UInt64 = object.number("requestId") else { return nil }
            if let error = object.object("error") { return .failure(id: id, failure(error)) }
            return .reply(id: id, data: object.raw("data") ?? "null")
        case "error":
            return .failure(id: nil, object.object("error").map(failure) ?? Failure())
        case "connected":
            let interval: UInt64? = object.object("server")?.number("pingInterval")
            return .connected(
                client: object.text("client") ?? "", session: object.text("session"), user: object.text("user"),
                pingInterval: interval.map { .milliseconds(Int64(clamping: $0)) },
                expiresIn: object.raw("expiresIn").flatMap(Double.init))
        case "reconnect":
            let after: UInt64 = object.number("after") ?? 0
            return .reconnect(after: .milliseconds(Int64(clamping: min(after, 3_600_000))))
        case "expiring":
            return .expiring
        case "joined":
            return join(object).map { .joined($0) }
        case "left":
            return object.text("room").map { .left(room: $0) }
        case "gap":
            return object.text("room").map { .gap(room: $0, reason: object.text("reason") ?? "unknown") }
        default:
            return .other(type: type)
        }
    }

    private static func failure(_ object: JSONObject) -> Failure {
        let after: UInt64? = object.number("retryAfter")
        return Failure(
            code: object.text("code") ?? "unknown", message: object.text("message") ?? "",
            isTemporary: object.raw("temporary") == "true",
            retryAfter: after.map { .milliseconds(Int64(clamping: min($0, 3_600_000))) })
    }

    /// A join's reply, or the event of the same content.
    static func join(_ object: JSONObject) -> WsdJoin? {
        guard let room = object.text("room") else { return nil }
        return WsdJoin(
            room: room, epoch: object.text("epoch"), offset: object.number("offset") ?? 0,
            recovered: object.raw("recovered").map { $0 == "true" }, reason: object.text("reason"))
    }
}

/// The members of one JSON object, by name.
struct JSONObject {
    private var members: [(key: String, slice: JSONSlice)] = []
    private let bytes: UnsafeRawBufferPointer

    /// `bytes` must outlive the value.
    init?(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        do throws(JSONError) {
            try JSONScanner.scanObject(bytes) { key, value in
                if let name = JSONString.text(key, in: bytes) { members.append((name, value)) }
            }
        } catch {
            return nil
        }
    }

    var json: String { String(decoding: bytes, as: UTF8.self) }

    private func slice(_ name: String) -> JSONSlice? { members.last { $0.key == name }?.slice }

    func text(_ name: String) -> String? {
        slice(name).flatMap { $0.kind == .string ? JSONString.text($0, in: bytes) : nil }
    }

    func raw(_ name: String) -> String? { slice(name).map { String(decoding: bytes[$0.range], as: UTF8.self) } }

    func number(_ name: String) -> UInt64? { slice(name)?.kind == .number ? raw(name).flatMap(UInt64.init) : nil }

    func object(_ name: String) -> JSONObject? {
        slice(name).flatMap { $0.kind == .object ? JSONObject(UnsafeRawBufferPointer(rebasing: bytes[$0.range])) : nil }
    }
}
