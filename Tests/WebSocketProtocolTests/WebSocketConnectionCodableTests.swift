import FoundationEssentials
import Model
import NIOCore
import Testing

@testable import WebSocketProtocol

/// A connection may be written down at any point of a stream and read back by another process.
@Suite struct WebSocketConnectionCodableTests {
    @Test func goesOnWhereItWas() throws {
        let bytes = joined(
            masked(.text, "κόσμε", final: false), masked(.ping, "p"), masked(.continuation, " end"),
            masked(.text, "next")
        )
        let whole = events(bytes)
        for split in 0...bytes.readableBytes {
            var first = WebSocketConnection(limits: WebSocketLimits(maxMessageSize: 100, maxFragments: 3))
            var result = first.events(from: try #require(bytes.getSlice(at: 0, length: split)))
            var second = try JSONDecoder().decode(WebSocketConnection.self, from: JSONEncoder().encode(first))
            let rest = try #require(bytes.getSlice(at: split, length: bytes.readableBytes - split))
            result += second.events(from: rest)
            #expect(result == whole, "split at \(split)")
        }
    }

    @Test func remembersThatItsCloseWasSent() throws {
        var connection = WebSocketConnection()
        var out = ByteBuffer()
        connection.writeClose(.goingAway, into: &out)
        var copy = try JSONDecoder().decode(WebSocketConnection.self, from: JSONEncoder().encode(connection))
        #expect(copy.isCloseSent)
        #expect(!copy.writeClose(.goingAway, into: &out))
    }
}
