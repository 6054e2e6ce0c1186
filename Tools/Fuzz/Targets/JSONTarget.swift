import Model
import NIOCore
import Wire

/// The JSON scanner and what the dialects make of it.
enum JSONTarget {
    static func run(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { raw in
            var values: [JSONSlice] = []
            let isObject = (try? JSONScanner.scanObject(raw) { values += [$0, $1] }) != nil
            if isObject { check(values, raw) }
            values = []
            let isArray = (try? JSONScanner.scanArray(raw) { values.append($0) }) != nil
            if isArray { check(values, raw) }
            let value = try? JSONScanner.scanValue(raw)
            expect(!(isObject && isArray), "It is an object and an array")
            expect(!isObject || value?.kind == .object, "An object is the value \(String(describing: value))")
            expect(!isArray || value?.kind == .array, "An array is the value \(String(describing: value))")
            if let value { check([value], raw) }
        }
    }

    /// What lies in the text is a value by itself.
    private static func check(_ values: [JSONSlice], _ raw: UnsafeRawBufferPointer) {
        for slice in values {
            let part = UnsafeRawBufferPointer(rebasing: raw[slice.range])
            let again = try? JSONScanner.scanValue(part)
            expect(
                again?.kind == slice.kind && again?.range == 0..<part.count,
                "\(slice) alone is \(String(describing: again))")
            guard let text = JSONString.text(slice, in: raw) else { continue }
            var written = ByteBuffer()
            JSONWriter.writeString(text, into: &written)
            let back = written.withUnsafeReadableBytes { bytes in
                (try? JSONScanner.scanValue(bytes)).flatMap { JSONString.text($0, in: bytes) }
            }
            expect(back == text, "A string changes when it is written")
        }
    }

    static func runSimple(_ bytes: [UInt8]) {
        check(SimpleDialect.decode(ByteBuffer(bytes: bytes), maxRoomLength: 32), bytes)
    }

    static func runV1(_ bytes: [UInt8]) {
        var count = 0
        V1Dialect.decode(ByteBuffer(bytes: bytes), maxRoomLength: 32) { result in
            count += 1
            check(result, bytes)
        }
        expect((1...V1Dialect.maxBatch).contains(count), "\(count) results")
    }

    private static func check(_ result: Result<DialectMessage, DialectError>, _ bytes: [UInt8]) {
        guard case .success(let message) = result else { return }
        expect(message.data.upperBound <= bytes.count, "The data ends at \(message.data.upperBound)")
        if !message.data.isEmpty {
            bytes.withUnsafeBytes { raw in
                let data = UnsafeRawBufferPointer(rebasing: raw[message.data])
                let range = (try? JSONScanner.scanValue(data))?.range
                expect(range == 0..<data.count, "The data is no JSON value")
            }
        }
        if let room = message.command.room {
            expect((1...32).contains(room.text.utf8.count), "A room's name of \(room.text.utf8.count) bytes")
        }
    }

    static var texts: [[UInt8]] {
        [
            #"{"a":1,"b":[true,false,null,-0.5e+10,"x\u00e9\ud83d\ude00\n"],"c":{}}"#, #" [ [], {}, "" , 0 ] "#, "1E-5",
            "\"☂\u{7F}\"",
        ].map { Array($0.utf8) }
    }

    static var simple: [[UInt8]] {
        [
            #"{"type":"joinRoom","roomId":"lobby","requestId":7}"#,
            #"{"type":"sendToRoom","roomId":"lobby","data":{"text":"hi"},"requestId":"a"}"#,
            #"{"type":"leaveRoom","roomId":"é"}"#, #"{"type":"broadcast","data":null}"#,
            #"{"type":"auth","token":"a.b.c"}"#, #"{"type":"price","data":[1],"requestId":8}"#,
        ].map { Array($0.utf8) }
    }

    static var v1: [[UInt8]] {
        [
            #"{"type":"join","room":"lobby","since":{"epoch":"3k9","offset":41},"session":"9m2","presence":true,"requestId":2}"#,
            #"[{"type":"publish","room":"lobby","data":{"text":"hi"},"messageId":"c1-17","requestId":3},{"type":"ping"}]"#,
            #"{"type":"history","room":"lobby","from":41,"limit":100,"reverse":false,"requestId":4}"#,
            #"{"type":"typing","room":"lobby","typing":false}"#, #"{"type":"read","room":"lobby","offset":41}"#,
            #"{"type":"send","user":"ada","data":1,"messageId":"m"}"#, #"{"type":"presenceCount","room":"l"}"#,
            #"{"type":"price","data":{"of":"tea"},"timeout":5000,"requestId":8}"#, #"{"type":"auth","token":"a.b.c"}"#,
            #"{"type":"leave","room":"lobby"}"#, #"{"type":"broadcast","data":"x"}"#,
        ].map { Array($0.utf8) }
    }
}
