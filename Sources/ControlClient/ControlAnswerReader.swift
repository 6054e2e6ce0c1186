import NIOCore
import NIOHTTP1
import Wire

/// Turns the parts of one HTTP answer into pieces of its body, or into the error that the service answered.
struct ControlAnswerReader {
    /// Bytes of an error's body that are looked at.
    let refusalLimit: Int

    /// Returns when the answer is complete. Throws ``ControlClientError/cutOff`` when the parts end before it is.
    ///
    /// - Parameter opened: called with the content type of a successful answer, before its body.
    func read<Parts: AsyncSequence>(
        _ parts: Parts, headArrived: () -> Void, opened: (String?) async throws -> Void = { _ in },
        _ consume: (ByteBuffer) async throws -> Void
    ) async throws where Parts.Element == HTTPClientResponsePart {
        var status: HTTPResponseStatus?
        var refusal: [UInt8] = []
        for try await part in parts {
            switch part {
            case .head(let head):
                guard !(100..<200).contains(head.status.code) else { continue }
                status = head.status
                headArrived()
                if head.status == .ok { try await opened(head.headers.first(name: "content-type")) }
            case .body(let piece):
                if status?.code == 200 {
                    try await consume(piece)
                } else {
                    refusal += piece.readableBytesView.prefix(max(0, refusalLimit - refusal.count))
                }
            case .end:
                guard let status else { continue }
                guard status.code != 200 else { return }
                throw Self.error(status: status, body: refusal)
            }
        }
        throw ControlClientError.cutOff
    }

    static func error(status: HTTPResponseStatus, body: [UInt8]) -> ControlClientError {
        if let error = try? ControlClient.decode(ControlError.self, body) {
            return .refused(status: Int(status.code), error)
        }
        // The backend's API has its own shape.
        if let answer = try? ControlClient.decode(BackendRefusal.self, body) {
            return .refused(status: Int(status.code), answer.error)
        }
        return .garbled("HTTP status \(status.code) \(status.reasonPhrase) without wsd's error object")
    }
}

private struct BackendRefusal: Decodable {
    var error: ControlError
}
