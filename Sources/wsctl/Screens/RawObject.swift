import ControlClient
import Wire

/// A JSON object of which some members are looked at, and others shown as they came.
struct RawObject {
    private let bytes: [UInt8]
    private var members: [String: JSONSlice] = [:]

    /// Throws ``ControlClientError/garbled(_:)`` where it is no object.
    init(_ bytes: [UInt8]) throws(ControlClientError) {
        self.bytes = bytes
        var members: [String: JSONSlice] = [:]
        let isObject = bytes.withUnsafeBytes { text in
            (try? JSONScanner.scanObject(text) { key, value in
                if let name = JSONString.text(key, in: text) { members[name] = value }
            }) != nil
        }
        guard isObject else { throw .garbled("no object where one belongs") }
        self.members = members
    }

    func raw(_ name: String) -> String? {
        members[name].map { String(decoding: bytes[$0.range], as: UTF8.self) }
    }

    /// `nil`: there is none, or it is no string.
    func text(_ name: String) -> String? {
        members[name].flatMap { slice in bytes.withUnsafeBytes { JSONString.text(slice, in: $0) } }
    }

    func number(_ name: String) -> Double? { raw(name).flatMap { Double($0) } }

    func integer(_ name: String) -> Int? { raw(name).flatMap { Int($0) } }

    func isTrue(_ name: String) -> Bool { raw(name) == "true" }

    func object(_ name: String) -> RawObject? { members[name].flatMap { try? RawObject(Array(bytes[$0.range])) } }

    /// The objects of an array; none where there is no array.
    func objects(_ name: String) throws(ControlClientError) -> [RawObject] {
        guard let list = members[name] else { return [] }
        let text = Array(bytes[list.range])
        var ranges: [Range<Int>] = []
        let isArray = text.withUnsafeBytes { text in
            (try? JSONScanner.scanArray(text) { ranges.append($0.range) }) != nil
        }
        guard isArray else { throw .garbled("no array where one belongs") }
        var objects: [RawObject] = []
        for range in ranges { objects.append(try RawObject(Array(text[range]))) }
        return objects
    }
}
