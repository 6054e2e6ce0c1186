import Model
import NIOCore
import Wire

/// What one attempt came to.
enum WebhookReply: Equatable {
    case answered(WebhookAnswer)
    case refused(message: String?, code: CloseCode?)
    /// The application was reached and is in no state to answer: try again.
    case busy(String)
    /// The application answered what is no answer; the same again would not help.
    case unusable(String)

    /// Characters of the application's own words that a client is shown.
    static let maxMessage = 256

    /// - Parameter status: HTTP's.
    init(_ kind: WebhookKind, status: Int, body: ByteBuffer) {
        switch status {
        case 200...299:
            guard !kind.isEvent else {
                self = .answered(WebhookAnswer())
                return
            }
            self = Self.read(kind, body)
        case 408, 429, 500...599:
            self = .busy("status \(status)")
        case 400...499:
            if case .refused(let message, let code) = Self.read(kind, body) {
                self = .refused(message: message, code: code)
            } else {
                self =
                    status == 401 || status == 403 ? .refused(message: nil, code: nil) : .unusable("status \(status)")
            }
        default:
            self = .unusable("status \(status)")
        }
    }

    private static func read(_ kind: WebhookKind, _ body: ByteBuffer) -> WebhookReply {
        guard body.readableBytes > 0 else { return .answered(WebhookAnswer()) }
        // `data` goes on to clients as it is, in messages that have to be UTF-8.
        guard String(validating: body.readableBytesView, as: UTF8.self) != nil else { return .unusable("no UTF-8") }
        return body.withUnsafeReadableBytes { bytes in
            var members = WebhookMembers(kind)
            do throws(JSONError) {
                try JSONScanner.scanObject(bytes) { key, value in members.take(key, value, bytes) }
            } catch {
                return .unusable("no JSON object")
            }
            if members.isRefusal { return .refused(message: members.message, code: members.code) }
            if let wrong = members.wrong { return .unusable("the member \(wrong) is not what it has to be") }
            var answer = members.answer
            if let range = members.data {
                answer.data = body.getSlice(at: body.readerIndex + range.lowerBound, length: range.count)
            }
            return .answered(answer)
        }
    }
}

/// The members of an answer that count for a hook.
private struct WebhookMembers {
    private let kind: WebhookKind
    private var fields = IdentityFields()
    private(set) var isRefusal = false
    private(set) var message: String?
    private(set) var code: CloseCode?
    private(set) var data: Range<Int>?
    /// Name of a member that is not what it has to be.
    private(set) var wrong: String?

    init(_ kind: WebhookKind) {
        self.kind = kind
    }

    var answer: WebhookAnswer {
        var answer = WebhookAnswer()
        answer.user = fields.user
        answer.info = fields.info
        answer.rooms = fields.rooms
        answer.grants = fields.grants
        answer.expiresAt = fields.expiresAt
        return answer
    }

    mutating func take(_ key: JSONSlice, _ value: JSONSlice, _ bytes: UnsafeRawBufferPointer) {
        guard let name = JSONString.text(key, in: bytes) else { return }
        let isRight: Bool
        switch (name, kind) {
        case ("error", _):
            readError(value, bytes)
            return
        case ("data", _):
            data = value.range
            return
        case ("user", .connect): isRight = fields.readUser(value, in: bytes)
        case ("info", .connect): isRight = fields.readInfo(value, in: bytes)
        case ("rooms", .connect): isRight = fields.readRooms(value, in: bytes)
        case ("rights", .connect): isRight = fields.readRights(value, in: bytes)
        case ("expiresAt", .connect): isRight = fields.readEnd(value, in: bytes)
        default: return
        }
        if !isRight { wrong = name }
    }

    /// `null` is no error; everything else is one, whatever stands in it.
    private mutating func readError(_ value: JSONSlice, _ bytes: UnsafeRawBufferPointer) {
        isRefusal = value.kind != .null
        (message, code) = (nil, nil)
        if value.kind == .string { message = JSONString.text(value, in: bytes).map(Self.bounded) }
        guard value.kind == .object else { return }
        let inner = UnsafeRawBufferPointer(rebasing: bytes[value.range])
        // The scanner has been over it: it is an object.
        try? JSONScanner.scanObject(inner) { key, value in
            if JSONString.equals(key, in: inner, "message") {
                message = JSONString.text(value, in: inner).map(Self.bounded)
            } else if JSONString.equals(key, in: inner, "code") {
                code = IdentityFields.seconds(value, in: inner).flatMap(UInt16.init(exactly:))
                    .flatMap { (3000...4999).contains($0) ? CloseCode(rawValue: $0) : nil }
            }
        }
    }

    private static func bounded(_ text: String) -> String { String(text.prefix(WebhookReply.maxMessage)) }
}
