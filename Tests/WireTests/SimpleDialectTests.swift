import Model
import NIOCore
import Testing
import Wire

struct SimpleDialectTests {
    private func decode(_ text: String, maxRoomLength: Int = 16) -> Result<DialectMessage, DialectError> {
        SimpleDialect.decode(ByteBuffer(string: text), maxRoomLength: maxRoomLength)
    }

    private func failure(_ code: ClientErrorCode, _ request: String? = nil) -> Result<DialectMessage, DialectError> {
        .failure(DialectError(code: code, request: request.map { RequestID(json: $0) }))
    }

    private func written(_ write: (inout ByteBuffer) -> Void) -> String {
        var buffer = ByteBuffer()
        write(&buffer)
        return String(buffer: buffer)
    }

    @Test func commandsAreUnderstood() {
        #expect(
            decode(#"{"type":"joinRoom","roomId":"lobby"}"#)
                == .success(DialectMessage(command: .join(RoomName("lobby"), .plain), request: nil, data: 0..<0)))
        #expect(
            decode(#"{"roomId":"r","requestId":7,"type":"leaveRoom"}"#)
                == .success(DialectMessage(command: .leave(RoomName("r")), request: RequestID(json: "7"), data: 0..<0)))
        #expect(
            decode(#"{"type":"broadcast","data":null,"requestId":"a\n"}"#)
                == .success(DialectMessage(command: .broadcast, request: RequestID(json: #""a\n""#), data: 27..<31)))
    }

    @Test func tokensAndCallsAreUnderstood() {
        #expect(
            decode(#"{"type":"auth","token":"a.b.c"}"#)
                == .success(DialectMessage(command: .authenticate(token: "a.b.c"), request: nil, data: 0..<0)))
        #expect(
            decode(#"{"type":"price","data":7,"requestId":1}"#)
                == .success(
                    DialectMessage(
                        command: .call(type: "price", timeout: nil), request: RequestID(json: "1"), data: 23..<24)))
        #expect(
            decode(#"{"type":"price","requestId":1}"#)
                == .success(
                    DialectMessage(
                        command: .call(type: "price", timeout: nil), request: RequestID(json: "1"), data: 0..<0)))
    }

    @Test func dataIsTheBytesThatCame() throws {
        let text = "{\"type\":\"sendToRoom\",\"roomId\":\"r\",\"data\": {\n \"a\" :1 } }"
        let message = try decode(text).get()
        #expect(message.command == .publish(RoomName("r"), messageID: nil))
        #expect(String(decoding: Array(text.utf8)[message.data], as: UTF8.self) == "{\n \"a\" :1 }")
    }

    @Test func dataIsRelativeToTheReaderIndex() throws {
        var buffer = ByteBuffer(string: #"xx{"type":"broadcast","data":[1]}"#)
        buffer.moveReaderIndex(forwardBy: 2)
        let message = try SimpleDialect.decode(buffer, maxRoomLength: 10).get()
        #expect(message.data == 27..<30)
    }

    @Test func escapedKeysAndValuesCount() {
        #expect(
            decode(#"{"ty\u0070e":"join\u0052oom","room\u0049d":"\u00e9"}"#)
                == .success(DialectMessage(command: .join(RoomName("é"), .plain), request: nil, data: 0..<0)))
    }

    @Test func ofDuplicateKeysTheLastCounts() {
        #expect(
            decode(#"{"type":"nonsense","roomId":"a","type":"joinRoom","roomId":"b"}"#)
                == .success(DialectMessage(command: .join(RoomName("b"), .plain), request: nil, data: 0..<0)))
    }

    @Test func refusals() {
        #expect(decode("") == failure(.invalidMessage))
        #expect(decode("hello") == failure(.invalidMessage))
        #expect(decode("[1]") == failure(.invalidMessage))
        #expect(decode(#"{"type":"sendToRoom","roomId":"r","data":{"a":tru}}"#) == failure(.invalidMessage))
        #expect(decode(#"{"roomId":"r"}"#) == failure(.invalidMessage))
        #expect(decode(#"{"type":5,"requestId":1}"#) == failure(.invalidMessage, "1"))
        #expect(decode(#"{"type":"joinroom","roomId":"r"}"#) == failure(.unknownType))
        let longType = String(repeating: "x", count: V1Dialect.maxTypeLength + 1)
        #expect(decode(#"{"type":"\#(longType)","requestId":1}"#) == failure(.unknownType, "1"))
        #expect(decode(#"{"type":"auth","token":5,"requestId":1}"#) == failure(.invalidToken, "1"))
        #expect(decode(#"{"type":"joinRoom","requestId":-1.5}"#) == failure(.invalidRoom, "-1.5"))
        #expect(decode(#"{"type":"joinRoom","roomId":""}"#) == failure(.invalidRoom))
        #expect(decode(#"{"type":"joinRoom","roomId":12}"#) == failure(.invalidRoom))
        #expect(decode(#"{"type":"joinRoom","roomId":"\ud800"}"#) == failure(.invalidRoom))
        #expect(decode(#"{"type":"joinRoom","roomId":"0123456789abcdefg"}"#) == failure(.invalidRoom))
        #expect(decode(#"{"type":"sendToRoom","roomId":"r","requestId":1}"#) == failure(.missingData, "1"))
        #expect(decode(#"{"type":"sendToRoom","data":1}"#) == failure(.invalidRoom))
        #expect(decode(#"{"type":"broadcast"}"#) == failure(.missingData))
        #expect(decode(#"{"type":"joinRoom","roomId":"r","requestId":{}}"#) == failure(.invalidMessage))
        #expect(decode(#"{"type":"joinRoom","roomId":"r","requestId":true}"#) == failure(.invalidMessage))
        let long = String(repeating: "9", count: RequestID.maxLength + 1)
        #expect(decode(#"{"type":"joinRoom","roomId":"r","requestId":\#(long)}"#) == failure(.invalidMessage))
    }

    @Test func absentAndNullRequestIDsAreTheSame() {
        #expect((try? decode(#"{"type":"joinRoom","roomId":"r","requestId":null}"#).get())?.request == nil)
    }

    @Test func eventsAreWrittenAsDocumented() {
        let client = ClientID(boot: BootID(rawValue: 33), serial: 2)
        func presence(_ joined: Bool, _ user: UserName?, _ room: RoomName, _ buffer: inout ByteBuffer) {
            SimpleDialect.writePresence(joined: joined, client: client, user: user, room: room, into: &buffer)
        }
        #expect(
            written { SimpleDialect.writeConnected(client, into: &$0) } == #"{"type":"connected","clientId":"11-2"}"#)
        #expect(
            written { presence(true, nil, RoomName("a\"b"), &$0) }
                == #"{"type":"userJoined","userId":"11-2","roomId":"a\"b"}"#)
        #expect(
            written { presence(false, UserName("ada"), RoomName("é"), &$0) }
                == #"{"type":"userLeft","userId":"ada","roomId":"é"}"#)
        let request = RequestID(json: #""q\u0031""#)
        #expect(
            written { SimpleDialect.writeAnswer(request, room: RoomName("r"), into: &$0) }
                == #"{"requestId":"q\u0031","data":{"ok":true,"roomId":"r"}}"#)
        #expect(
            written { SimpleDialect.writeAnswer(request, room: nil, into: &$0) }
                == #"{"requestId":"q\u0031","data":{"ok":true}}"#)
        #expect(
            written { SimpleDialect.writeAnswer(request, data: JSONText(unchecked: "[1]".utf8), into: &$0) }
                == #"{"requestId":"q\u0031","data":[1]}"#)
        #expect(
            written { SimpleDialect.writeRefusal(ClientRefusal(.invalidRoom), request: request, into: &$0) }
                == #"{"requestId":"q\u0031","error":"Invalid room","code":"invalid_room"}"#)
        let limited = ClientRefusal(.rateLimited, retryAfter: .microseconds(399_001))
        #expect(
            written { SimpleDialect.writeRefusal(limited, request: nil, into: &$0) }
                == #"{"type":"error","code":"rate_limited","error":"Rate limit exceeded","retryAfter":400}"#)
    }

    @Test(arguments: ClientErrorCode.allCases)
    func everyErrorIsValidJSON(_ code: ClientErrorCode) {
        for request in [nil, RequestID(json: "1")] {
            let text = written { SimpleDialect.writeRefusal(ClientRefusal(code), request: request, into: &$0) }
            #expect(text.contains(code.words))
            #expect(throws: Never.self) {
                try Array(text.utf8).withUnsafeBytes { try JSONScanner.scanObject($0) { _, _ in } }
            }
        }
    }

    @Test func strangeRoomNamesSurviveTheRoundTrip() throws {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<500 {
            let scalars = (0..<Int.random(in: 1...12, using: &generator)).compactMap { _ in
                Unicode.Scalar(
                    UInt32.random(in: 0...(Bool.random(using: &generator) ? 0x7F : 0xFFFF), using: &generator))
            }
            var name = ""
            name.unicodeScalars.append(contentsOf: scalars)
            guard !name.isEmpty else { continue }
            let text = written {
                $0.writeString(#"{"type":"joinRoom","roomId":"#)
                JSONWriter.writeString(name, into: &$0)
                $0.writeString("}")
            }
            #expect(try decode(text, maxRoomLength: 100).get().command == .join(RoomName(name), .plain))
        }
    }
}
