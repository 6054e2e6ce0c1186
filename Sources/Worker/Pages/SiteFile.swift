import HTTPTypes
import Hummingbird
import Model
import NIOCore
import Synchronization

/// A file that the program carries, as it is answered: with an entity tag, compressed where the client takes that. Made when it
/// is first asked for.
final class SiteFile: Sendable {
    private struct Content {
        var plain: ByteBuffer
        var gzip: ByteBuffer?
        /// Without its quotes.
        var tag: String
    }

    private let type: String
    private let fields: HTTPFields
    private let mayBeImmutable: Bool
    private let bytes: @Sendable () -> [UInt8]
    private let content = Mutex<Content?>(nil)

    /// - Parameters:
    ///   - fields: of every answer.
    ///   - mayBeImmutable: an address with `?v=` and this version is kept for a year.
    init(
        type: String, fields: HTTPFields = [:], mayBeImmutable: Bool = false, bytes: @escaping @Sendable () -> [UInt8]
    ) {
        self.type = type
        self.fields = fields
        self.mayBeImmutable = mayBeImmutable
        self.bytes = bytes
    }

    /// The answer to GET or HEAD.
    func response(to request: Request) -> Response {
        let content = made()
        let zipped = Gzip.isAccepted(by: request.headers[.acceptEncoding]) ? content.gzip : nil
        let tag = zipped == nil ? "\"\(content.tag)\"" : "\"\(content.tag)-gzip\""
        var fields = fields
        fields[.eTag] = tag
        fields[.vary] = "Accept-Encoding"
        let isOfThisVersion =
            mayBeImmutable
            && request.uri.query.flatMap { QueryText.value(of: "v", in: $0) } == WsdVersion.current
        fields[.cacheControl] = isOfThisVersion ? "public, max-age=31536000, immutable" : "no-cache"
        let conditions = FileConditions(ifNoneMatch: request.headers[.ifNoneMatch])
        guard conditions.answer(tag: tag, modified: 0, size: 0) != .notModified else {
            return Response(status: .notModified, headers: fields)
        }
        fields[.contentType] = type
        if zipped != nil { fields[.contentEncoding] = "gzip" }
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: zipped ?? content.plain))
    }

    private func made() -> Content {
        content.withLock { content in
            if let content { return content }
            let bytes = bytes()
            let made = Content(
                plain: ByteBuffer(bytes: bytes), gzip: Gzip.compressed(bytes).map { ByteBuffer(bytes: $0) },
                tag: Self.hash(bytes))
            content = made
            return made
        }
    }

    /// FNV-1a with 64 bits (draft-eastlake-fnv): tells versions of a file apart that nobody forges.
    private static func hash(_ bytes: [UInt8]) -> String {
        let sum = bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return String(sum, radix: 16)
    }
}
