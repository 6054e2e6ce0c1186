import Model
import NIOCore
import Testing

@testable import WebSocketProtocol

@Suite struct WebSocketConnectionTests {
    @Test func unmasksTheExampleOfTheRFC() {
        #expect(events(hex("818537fa213d7f9f4d5158")) == [.text("Hello")])
    }

    @Test func aClientTakesUnmaskedFrames() {
        var client = WebSocketConnection(role: .client)
        #expect(client.events(from: hex("810548656c6c6f")) == [.text("Hello")])
        #expect(client.events(from: hex("818537fa213d7f9f4d5158")).first?.failure == .protocolError)
    }

    @Test func manyMessagesInOneRead() {
        let bytes = joined(
            masked(.text, "a"), masked(.binary, ""), masked(.ping, "p"), masked(.text, "grün"), masked(.pong))
        #expect(events(bytes) == [.text("a"), .binary(""), .ping("p"), .text("grün"), .pong("")])
    }

    @Test func reassemblesFragmentsWithControlFramesBetween() {
        let bytes = joined(
            masked(.text, "Hel", final: false), masked(.ping, "1"), masked(.continuation, "l", final: false),
            masked(.pong, "2"), masked(.continuation, "o"), masked(.binary, "next"))
        #expect(events(bytes) == [.ping("1"), .pong("2"), .text("Hello"), .binary("next")])
    }

    @Test func aCharacterMayBeSplitOverFragments() {
        let euro = Array("€".utf8)
        let bytes = joined(
            masked(.text, ByteBuffer(bytes: euro[..<1]), final: false), masked(.continuation, "", final: false),
            masked(.continuation, ByteBuffer(bytes: euro[1...])))
        #expect(events(bytes) == [.text("€")])
    }

    @Test func failsFastOnWrongTextWithinAFragmentedMessage() {
        let bytes = joined(masked(.text, "ok", final: false), masked(.continuation, hex("f4 90"), final: false))
        #expect(events(bytes).map(\.failure) == [.invalidPayload])
    }

    @Test func textThatEndsWithinACharacterIsRefused() {
        #expect(events(masked(.text, hex("61 e2 82"))).map(\.failure) == [.invalidPayload])
        let bytes = joined(masked(.text, hex("e2"), final: false), masked(.continuation, hex("82")))
        #expect(events(bytes).map(\.failure) == [.invalidPayload])
        let asciiBehind = joined(masked(.text, hex("e2"), final: false), masked(.continuation, "a"))
        #expect(events(asciiBehind).map(\.failure) == [.invalidPayload])
    }

    @Test func binaryMayBeAnything() {
        #expect(events(masked(.binary, hex("ff fe c0"))) == [.message(.binary, hex("ff fe c0"))])
    }

    @Test func aMaskOfZeroIsAMask() {
        #expect(events(masked(.text, "é", key: 0)) == [.text("é")])
        #expect(events(masked(.text, hex("ff"), key: 0)).map(\.failure) == [.invalidPayload])
    }

    @Test func refusesFramesOutOfPlace() {
        #expect(events(masked(.continuation, "x")).map(\.failure) == [.protocolError])
        let nested = joined(masked(.text, "a", final: false), masked(.text, "b"))
        #expect(events(nested).map(\.failure) == [.protocolError])
        #expect(events(hex("810161")).map(\.failure) == [.protocolError])
    }

    @Test func boundsTheMessage() {
        let limits = WebSocketLimits(maxMessageSize: 10, maxFragments: 3)
        #expect(events(masked(.text, "0123456789"), limits: limits) == [.text("0123456789")])
        #expect(events(masked(.text, "0123456789a"), limits: limits).map(\.failure) == [.messageTooBig])
        // Refused by its header; the payload never comes.
        #expect(events(hex("82ff 7fffffffffffffff 00000000"), limits: limits).map(\.failure) == [.messageTooBig])
        let over = joined(masked(.binary, "012345", final: false), masked(.continuation, "678901"))
        #expect(events(over, limits: limits).map(\.failure) == [.messageTooBig])
        let three = joined(
            masked(.text, "a", final: false), masked(.continuation, "b", final: false), masked(.continuation, "c"))
        #expect(events(joined(three, three), limits: limits) == [.text("abc"), .text("abc")])
        let four = joined(
            masked(.text, "a", final: false), masked(.continuation, "", final: false),
            masked(.continuation, "", final: false), masked(.continuation, "", final: false))
        #expect(events(four, limits: limits).map(\.failure) == [.policyViolation])
    }

    @Test func nothingCountsAfterAFailure() {
        var connection = WebSocketConnection()
        #expect(connection.events(from: joined(hex("83"), masked(.text, "x"))).map(\.failure) == [.protocolError])
        #expect(connection.isInputFinished)
        #expect(connection.events(from: masked(.text, "y")) == [])
        #expect(connection.heldBytes == 0)
        var out = ByteBuffer()
        #expect(connection.writeClose(.protocolError, into: &out))
        #expect(!connection.writeClose(.goingAway, into: &out))
        #expect(out == hex("8802 03ea"))
    }

    @Test func echoesTheCloseOnce() {
        var connection = WebSocketConnection()
        let bytes = joined(masked(.close, hex("03e9 62 79 65")), masked(.text, "late"))
        #expect(connection.events(from: bytes) == [.close(.goingAway, reason: "bye")])
        #expect(connection.events(from: masked(.close)) == [])
        var out = ByteBuffer()
        #expect(connection.writeClose(.goingAway, into: &out))
        #expect(!connection.writeClose(.goingAway, into: &out))
        #expect(out == hex("8802 03e9"))
    }

    @Test func anEmptyCloseIsAnsweredByAnEmptyOne() {
        var connection = WebSocketConnection()
        #expect(connection.events(from: masked(.close)) == [.close(nil, reason: "")])
        var out = ByteBuffer()
        connection.writeClose(nil, into: &out)
        #expect(out == hex("8800"))
    }

    @Test func afterOwnCloseOnlyThePeersCloseCounts() {
        var connection = WebSocketConnection()
        var out = ByteBuffer()
        #expect(connection.writeClose(.serviceRestart, into: &out))
        let bytes = joined(masked(.text, "a"), masked(.ping), masked(.close, hex("03f4")))
        #expect(connection.events(from: bytes) == [.close(.serviceRestart, reason: "")])
        #expect(!connection.writeClose(.serviceRestart, into: &out))
    }

    @Test func ownCloseDoesNotHideAViolation() {
        var connection = WebSocketConnection()
        var out = ByteBuffer()
        connection.writeClose(.goingAway, into: &out)
        #expect(connection.events(from: hex("8f80 00000000")).map(\.failure) == [.protocolError])
    }
}

@Suite struct WebSocketConnectionMemoryTests {
    @Test func isSmall() {
        #expect(MemoryLayout<WebSocketConnection>.size <= 104)
    }

    @Test func holdsNothingWhenIdle() {
        var connection = WebSocketConnection()
        _ = connection.events(from: joined(masked(.text, "a"), masked(.text, "b", final: false), masked(.continuation)))
        #expect(connection.heldBytes == 0)
        #expect(connection.next() == nil)
    }

    @Test func aWholeMessageIsASliceOfWhatWasRead() throws {
        let bytes = joined(masked(.text, "first message"), masked(.binary, "second"))
        var connection = WebSocketConnection()
        let received = copy(bytes)
        // Shared, as with a channel's pool: no copy may be made even so.
        let pooled = received
        let range = received.withUnsafeReadableBytes { bytes in
            UInt(bitPattern: bytes.baseAddress)..<UInt(bitPattern: bytes.baseAddress) + UInt(bytes.count)
        }
        connection.receive(received)
        var count = 0
        while let event = connection.next() {
            guard case .message(_, let payload) = event else { continue }
            count += 1
            #expect(payload.withUnsafeReadableBytes { range.contains(UInt(bitPattern: $0.baseAddress)) })
        }
        #expect(count == 2)
        #expect(pooled.readableBytes == bytes.readableBytes)
    }

    @Test func keepsOnlyTheRemainderOfAPartialFrame() {
        var connection = WebSocketConnection()
        let big = ByteBuffer(repeating: 0x61, count: 60_000)
        var bytes = masked(.binary, big)
        bytes.writeImmutableBuffer(hex("81 85 37"))
        #expect(connection.events(from: bytes).count == 1)
        #expect(connection.heldBytes == 3)
        #expect(connection.events(from: hex("fa213d7f9f4d5158")) == [.text("Hello")])
        #expect(connection.heldBytes == 0)
    }
}
