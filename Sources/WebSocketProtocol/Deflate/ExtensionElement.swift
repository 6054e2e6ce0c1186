/// One element of `Sec-WebSocket-Extensions` (RFC 6455 section 9.1).
struct ExtensionElement: Equatable {
    struct Parameter: Equatable {
        var name: String
        /// Quotes and escapes taken off.
        var value: String?
    }

    var name: String
    var parameters: [Parameter] = []

    /// The elements in order; empty ones are skipped (RFC 9110 section 5.6.1). `nil`: not such a list.
    static func list(_ text: String) -> [ExtensionElement]? {
        var cursor = Cursor(rest: Array(text.utf8)[...])
        var result: [ExtensionElement] = []
        while true {
            cursor.skipBlanks()
            guard let next = cursor.rest.first else { return result }
            if next == UInt8(ascii: ",") {
                cursor.rest.removeFirst()
                continue
            }
            guard let element = cursor.element() else { return nil }
            result.append(element)
            guard cursor.take(",") || cursor.rest.isEmpty else { return nil }
        }
    }

    private struct Cursor {
        var rest: ArraySlice<UInt8>

        mutating func skipBlanks() { rest = rest.drop(while: \.isBlank) }

        /// Takes the character and the blanks around it, if it comes next.
        mutating func take(_ character: Unicode.Scalar) -> Bool {
            skipBlanks()
            guard rest.first == UInt8(ascii: character) else { return false }
            rest.removeFirst()
            skipBlanks()
            return true
        }

        mutating func element() -> ExtensionElement? {
            guard let name = token() else { return nil }
            var element = ExtensionElement(name: name)
            while take(";") {
                guard let name = token() else { return nil }
                var parameter = Parameter(name: name)
                if take("=") {
                    guard let value = rest.first == UInt8(ascii: "\"") ? quoted() : token() else { return nil }
                    parameter.value = value
                }
                element.parameters.append(parameter)
            }
            return element
        }

        private mutating func token() -> String? {
            let token = rest.prefix(while: \.isTokenCharacter)
            guard !token.isEmpty else { return nil }
            rest = rest[token.endIndex...]
            return String(decoding: token, as: UTF8.self)
        }

        /// A quoted string, which must be a token once its escapes are taken off.
        private mutating func quoted() -> String? {
            rest.removeFirst()
            var value: [UInt8] = []
            while let byte = rest.popFirst() {
                switch byte {
                case UInt8(ascii: "\""):
                    return value.isEmpty ? nil : String(decoding: value, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard let escaped = rest.popFirst(), escaped.isTokenCharacter else { return nil }
                    value.append(escaped)
                default:
                    guard byte.isTokenCharacter else { return nil }
                    value.append(byte)
                }
            }
            return nil
        }
    }
}
