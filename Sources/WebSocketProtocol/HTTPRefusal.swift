/// Why a request is not served, ready to be written: a status, one sentence for a person, and the fields that go with it.
package struct HTTPRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// HTTP status, 400…599.
    package var status: Int
    /// One sentence of ASCII without line breaks; it becomes the body. Plain text, unless ``fields`` has a `Content-Type`.
    package var sentence: String
    /// Further response fields (`Sec-WebSocket-Version`, `Allow`, …).
    package var fields: [HTTPField]

    package init(status: Int, sentence: String, fields: [HTTPField] = []) {
        self.status = status
        self.sentence = sentence
        self.fields = fields
    }

    package var description: String { "\(status) \(sentence)" }
}

/// One field of a head, as text.
package struct HTTPField: Equatable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}
