/// How a screen is drawn: with colours or without, and how wide.
struct Style: Equatable, Sendable {
    enum Colour: String, Sendable {
        case plain = ""
        case bold = "1"
        case faint = "2"
        case red = "31"
        case boldRed = "1;31"
        case green = "32"
        case yellow = "33"
        case blue = "34"
        case magenta = "35"
        case cyan = "36"
        case brightGreen = "92"
        case brightYellow = "93"
        case brightBlue = "94"
        case brightMagenta = "95"
        case brightCyan = "96"
        case inverse = "7"
    }

    var coloured: Bool
    /// Columns.
    var width: Int

    static let plain = Style(coloured: false, width: 80)

    /// Text in a colour (ECMA-48 SGR); as it is where there are none.
    func paint(_ text: String, _ colour: Colour) -> String {
        guard coloured, colour != .plain, !text.isEmpty else { return text }
        return "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m"
    }
}
