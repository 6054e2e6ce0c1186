import Model
import NIOCore
import Wire

/// A call of the backend's API: a line `METHOD PATH?QUERY`, then the body.
enum BackendTarget {
    static func run(_ bytes: [UInt8]) {
        let line = bytes.prefix { $0 != 0x0A }
        let head = String(decoding: line, as: UTF8.self).split(separator: " ", maxSplits: 1).map { String($0) }
        guard head.count == 2 else { return }
        let target = head[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        let decoded = BackendHTTP.decode(
            method: head[0], path: target[0], query: target.count > 1 ? target[1] : nil, idempotencyKey: "key",
            body: ByteBuffer(bytes: bytes.dropFirst(line.count + 1)), maxRoomLength: 32)
        guard case .success(let request) = decoded else { return }
        let encoded = request.encoded()
        expect(BackendRequest.decode(encoded) == .success(request), "On the way it changes: \(String(buffer: encoded))")
        expect(String(validating: encoded.readableBytesView, as: UTF8.self) != nil, "It is no UTF-8 any more")
    }

    static var seeds: [[UInt8]] {
        [
            "POST publish\n{\"room\":\"lobby\",\"data\":{\"text\":\"hi\"},\"messageId\":\"m\",\"user\":\"ada\"}",
            "POST publish-many\n{\"rooms\":[\"a\",\"b\"],\"data\":1}", "POST broadcast\n{\"data\":null}",
            "POST users/a%2Fb/send\n{\"data\":[]}", "GET rooms?prefix=a+%41&limit=5\n", "GET rooms/a/presence\n",
            "GET rooms/a/history?from=1&limit=2&reverse=true\n", "DELETE rooms/a/history\n", "GET rooms/a/count\n",
            "POST users/a/disconnect\n{\"code\":4000,\"reason\":\"x\"}", "POST clients/1-1/disconnect\n",
            "POST users/a/subscribe\n{\"room\":\"r\"}", "GET info\n",
            "POST batch\n{\"requests\":[{\"type\":\"publish\",\"room\":\"a\",\"data\":1},{\"type\":\"info\"},"
                + "{\"type\":\"disconnect\",\"client\":\"1-1\"},{\"type\":\"history\",\"room\":\"a\",\"limit\":0}]}",
        ].map { Array($0.utf8) }
    }
}
