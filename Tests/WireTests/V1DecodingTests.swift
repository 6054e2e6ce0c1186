import Model
import NIOCore
import Testing
import Wire

struct V1DecodingTests {
    private func decode(_ text: String, maxRoomLength: Int = 16) -> [Result<DialectMessage, DialectError>] {
        var found: [Result<DialectMessage, DialectError>] = []
        V1Dialect.decode(ByteBuffer(string: text), maxRoomLength: maxRoomLength) { found.append($0) }
        return found
    }

    private func command(_ text: String) -> ClientCommand? {
        let found = decode(text)
        return found.count == 1 ? try? found[0].get().command : nil
    }

    private func code(_ text: String) -> ClientErrorCode? {
        guard case .failure(let error)? = decode(text).first else { return nil }
        return error.code
    }

    @Test func commandsAreUnderstood() {
        let room = RoomName("lobby")
        var join = JoinOptions()
        #expect(command(#"{"type":"join","room":"lobby"}"#) == .join(room, join))
        #expect(
            command(#"{"type":"join","room":"lobby","since":null,"session":null,"presence":null}"#) == .join(room, join)
        )
        join.since = RoomPosition(epoch: RoomEpoch("3k9")!, offset: 41)
        join.session = SessionID("7z")
        join.presence = true
        #expect(
            command(
                #"{"type":"join","room":"lobby","since":{"offset":41,"epoch":"3k9","x":{}},"session":"7z","presence":true}"#
            )
                == .join(room, join))
        #expect(command(#"{"type":"join","room":"lobby","session":"no session!"}"#) == .join(room, JoinOptions()))
        #expect(command(#"{"type":"leave","room":"lobby"}"#) == .leave(room))
        #expect(command(#"{"type":"publish","room":"lobby","data":1}"#) == .publish(room, messageID: nil))
        #expect(
            command(#"{"type":"publish","room":"lobby","data":1,"messageId":"m"}"#)
                == .publish(room, messageID: MessageID("m")))
        #expect(command(#"{"type":"broadcast","data":null}"#) == .broadcast)
        #expect(
            command(#"{"type":"send","user":"ada","data":1,"messageId":"m"}"#)
                == .direct(UserName("ada"), messageID: MessageID("m")))
        #expect(command(#"{"type":"presence","room":"lobby"}"#) == .presence(room, countOnly: false))
        #expect(command(#"{"type":"presenceCount","room":"lobby"}"#) == .presence(room, countOnly: true))
        #expect(command(#"{"type":"typing","room":"lobby"}"#) == .typing(room, true))
        #expect(command(#"{"type":"typing","room":"lobby","typing":false}"#) == .typing(room, false))
        #expect(command(#"{"type":"read","room":"lobby","offset":18446744073709551615}"#) == .read(room, offset: .max))
        #expect(command(#"{"type":"ping"}"#) == .ping)
        #expect(command(#"{"type":"auth","token":"a.b.c"}"#) == .authenticate(token: "a.b.c"))
        var query = HistoryQuery()
        #expect(command(#"{"type":"history","room":"lobby"}"#) == .history(room, query))
        query.from = 41
        query.limit = HistoryQuery.maxLimit
        query.reverse = true
        #expect(
            command(#"{"type":"history","room":"lobby","from":41,"limit":99999999999,"reverse":true}"#)
                == .history(room, query))
    }

    @Test func callsAreUnderstood() {
        #expect(command(#"{"type":"price","requestId":1}"#) == .call(type: "price", timeout: nil))
        #expect(
            command(#"{"type":"price","requestId":1,"timeout":5000}"#) == .call(type: "price", timeout: .seconds(5)))
        #expect(
            command(#"{"type":"price","requestId":1,"timeout":18446744073709551615}"#)
                == .call(type: "price", timeout: V1Dialect.maxTimeout))
        #expect(code(#"{"type":"price","data":1}"#) == .unknownType)
        #expect(code(#"{"type":"price","requestId":1,"timeout":-1}"#) == .invalidMessage)
        let long = String(repeating: "x", count: V1Dialect.maxTypeLength + 1)
        #expect(code(#"{"type":"\#(long)","requestId":1}"#) == .unknownType)
        #expect(code(#"{"type":"","requestId":1}"#) == .unknownType)
    }

    @Test func escapedKeysAndValuesCount() {
        #expect(command(#"{"ty\u0070e":"l\u0065ave","r\u006fom":"\u00e9"}"#) == .leave(RoomName("é")))
    }

    @Test func ofDuplicateKeysTheLastCounts() {
        #expect(command(#"{"type":"join","room":"a","type":"leave","room":"b"}"#) == .leave(RoomName("b")))
    }

    @Test(
        arguments: [
            ("", .invalidMessage), ("hello", .invalidMessage), ("1", .invalidMessage), ("[]", .invalidMessage),
            ("[1", .invalidMessage), (#"{"room":"r"}"#, .invalidMessage), (#"{"type":null}"#, .invalidMessage),
            (#"{"type":"ping","requestId":{}}"#, .invalidMessage), (#"{"type":"join"}"#, .invalidRoom),
            (#"{"type":"join","room":""}"#, .invalidRoom),
            (#"{"type":"join","room":"0123456789abcdefg"}"#, .invalidRoom),
            (#"{"type":"publish","room":"r"}"#, .missingData), (#"{"type":"broadcast"}"#, .missingData),
            (#"{"type":"publish","room":"r","data":1,"messageId":""}"#, .invalidMessageID),
            (#"{"type":"publish","room":"r","data":1,"messageId":7}"#, .invalidMessageID),
            (#"{"type":"send","data":1}"#, .invalidUser), (#"{"type":"send","user":"","data":1}"#, .invalidUser),
            (#"{"type":"join","room":"r","since":5}"#, .invalidPosition),
            (#"{"type":"join","room":"r","since":{}}"#, .invalidPosition),
            (#"{"type":"join","room":"r","since":{"epoch":"3k9"}}"#, .invalidPosition),
            (#"{"type":"join","room":"r","since":{"epoch":"0","offset":1}}"#, .invalidPosition),
            (#"{"type":"join","room":"r","since":{"epoch":"!","offset":1}}"#, .invalidPosition),
            (#"{"type":"join","room":"r","since":{"epoch":"3k9","offset":1.0}}"#, .invalidPosition),
            (#"{"type":"join","room":"r","since":{"epoch":"3k9","offset":-1}}"#, .invalidPosition),
            (#"{"type":"join","room":"r","since":{"epoch":"3k9","offset":18446744073709551616}}"#, .invalidPosition),
            (#"{"type":"join","room":"r","presence":1}"#, .invalidMessage),
            (#"{"type":"read","room":"r"}"#, .invalidPosition),
            (#"{"type":"read","room":"r","offset":"1"}"#, .invalidPosition),
            (#"{"type":"typing","room":"r","typing":"yes"}"#, .invalidMessage),
            (#"{"type":"history","room":"r","from":true}"#, .invalidPosition),
            (#"{"type":"history","room":"r","limit":1.5}"#, .invalidMessage),
            (#"{"type":"auth"}"#, .invalidToken), (#"{"type":"auth","token":""}"#, .invalidToken),
            (#"{"type":"joinRoom","roomId":"r"}"#, .unknownType),
        ] as [(String, ClientErrorCode)])
    func refusals(_ text: String, _ expected: ClientErrorCode) {
        #expect(code(text) == expected)
        #expect(decode(text).count == 1)
    }

    @Test func refusalsNameTheRequest() {
        #expect(
            decode(#"{"type":"join","requestId":"a"}"#)
                == [.failure(DialectError(code: .invalidRoom, request: RequestID(json: #""a""#)))])
        #expect(
            decode(#"{"requestId":-1.5}"#)
                == [.failure(DialectError(code: .invalidMessage, request: RequestID(json: "-1.5")))])
    }

    @Test func dataIsTheBytesThatCame() throws {
        let text = "{\"type\":\"publish\",\"room\":\"r\",\"data\": {\n \"a\" :1 } }"
        let message = try decode(text)[0].get()
        #expect(String(decoding: Array(text.utf8)[message.data], as: UTF8.self) == "{\n \"a\" :1 }")
    }

    @Test func arraysAreDoneInOrderAndDataLiesInTheFrame() throws {
        var frame = ByteBuffer(
            string:
                #"xx [ {"type":"publish","room":"a","data":[1, 2]} ,{"type":"nonsense"},{"type":"broadcast","data":3}]"#
        )
        frame.moveReaderIndex(forwardBy: 2)
        var found: [String] = []
        V1Dialect.decode(frame, maxRoomLength: 16) { result in
            switch result {
            case .success(let message):
                let bytes = Array(frame.readableBytesView)[message.data]
                found.append("\(message.command) \(String(decoding: bytes, as: UTF8.self))")
            case .failure(let error): found.append("\(error.code)")
            }
        }
        #expect(found.count == 3)
        #expect(found[0].hasSuffix(" [1, 2]"))
        #expect(found[1] == "unknownType")
        #expect(found[2].hasSuffix("broadcast 3"))
    }

    @Test func ofABrokenOrTooLongArrayNothingIsDone() {
        let one = #"{"type":"ping"}"#
        func array(_ count: Int) -> String { "[" + Array(repeating: one, count: count).joined(separator: ",") + "]" }
        #expect(decode(array(V1Dialect.maxBatch)).count == V1Dialect.maxBatch)
        let refused = [Result<DialectMessage, DialectError>.failure(DialectError(code: .invalidMessage))]
        #expect(decode(array(V1Dialect.maxBatch + 1)) == refused)
        #expect(decode("[\(one),{]") == refused)
        #expect(decode("[\(one),1]").count == 2)
        // Arrays in arrays are no commands.
        #expect(decode("[[\(one)]]") == refused)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func garbageNeverTraps(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let texts = [
            #"[{"type":"join","room":"lobby","since":{"epoch":"3k9","offset":41},"requestId":2},{"type":"ping"}]"#,
            #"{"type":"publish","room":"lobby","data":{"a":[1,2,"\u0041"]},"messageId":"m-1","requestId":"x"}"#,
        ]
        for _ in 0..<2_000 {
            var bytes = Array(texts.randomElement(using: &generator)!.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.insert(bytes.randomElement(using: &generator)!, at: index)
                default: if bytes.count > 1 { bytes.remove(at: index) }
                }
            }
            var count = 0
            V1Dialect.decode(ByteBuffer(bytes: bytes), maxRoomLength: 16) { result in
                count += 1
                if case .success(let message) = result { #expect(message.data.upperBound <= bytes.count) }
            }
            #expect(count > 0)
        }
    }
}
