import Model
import Testing

@testable import ConfigurationFile

@Suite struct ValueFormatTests {
    private let context = ValueContext(folder: "/srv/app")

    /// `nil` when refused.
    private func read<Value>(_ text: String, _ format: ValueFormat<Value>) -> Value? {
        try? format.parse(text, context)
    }

    private func hint<Value>(_ text: String, _ format: ValueFormat<Value>) -> String? {
        do throws(InvalidValue) {
            _ = try format.parse(text, context)
            return nil
        } catch {
            return error.hint
        }
    }

    @Test(arguments: [
        ("0", 0), ("0s", 0), ("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000), ("1m30s", 90_000),
        ("1.5s", 1500), ("0.25h", 900_000), ("1h2m3s4ms", 3_723_004),
    ])
    func time(_ text: String, _ milliseconds: Int) {
        #expect(read(text, .duration(.zero ... .seconds(7200))) == .milliseconds(milliseconds))
    }

    @Test(arguments: [
        "", "s", "-1s", "1", "30", "1.5", "1 s", "1sec", "1d", "1S", "30s1m", "1s1s", "1.s", ".5s", "1.0001s",
        "1.1234567s", "0.5ms",
        "9223372036854775807h", "99999999999999999999s", "1e3s", "١s", "1s ", "0x1s", "7201s",
    ])
    func noTime(_ text: String) {
        #expect(read(text, .duration(.zero ... .seconds(7200))) == nil)
    }

    @Test func aBareTimeIsToldBothReadings() {
        #expect(hint("25000", .duration(.zero ... .seconds(60))) == "it needs a unit: 25000s or 25000ms")
    }

    @Test func zeroTimeOutsideTheRangeOnlyWhereItMeansSomething() {
        #expect(read("0", .duration(.seconds(1) ... .seconds(2))) == nil)
        #expect(read("0", .duration(.seconds(1) ... .seconds(2), zero: "never")) == .zero)
    }

    @Test(arguments: [
        ("125", 125), ("4096", 4096), ("64KiB", 65_536), ("64K", 65_536), ("64k", 65_536), ("1MiB", 1 << 20),
        ("512M", 512 << 20),
        ("1.5GiB", 3 << 29), ("2g", 2 << 30), ("1TiB", 1 << 40), ("1T", 1 << 40),
    ])
    func size(_ text: String, _ bytes: Int) {
        #expect(read(text, .size(1...1 << 40)) == bytes)
    }

    @Test(arguments: [
        "", "-1", "64MB", "64kB", "1 MiB", "1.5", "0.3K", "KiB", "9999999999999999999", "8388608T", "1PiB", "0",
    ])
    func noSize(_ text: String) {
        #expect(read(text, .size(1...1 << 50)) == nil)
    }

    @Test func decimalUnitsAreToldTheBinaryOne() {
        #expect(hint("64MB", .size(1...1 << 40)) == "did you mean 64MiB?")
        #expect(hint("64kb", .size(1...1 << 40)) == "did you mean 64KiB?")
        #expect(hint("Mb", .size(1...1 << 40)) == "sizes are written like 4096, 64KiB, 1MiB or 2G")
    }

    @Test(arguments: [("0", 0), ("007", 7), ("1024", 1024)])
    func wholeNumber(_ text: String, _ number: Int) {
        #expect(read(text, .integer(0...1024)) == number)
    }

    @Test(arguments: ["", "-1", "+1", "1025", "1.0", "1e2", "0x10", "99999999999999999999", "four", "1_000"])
    func noWholeNumber(_ text: String) {
        #expect(read(text, .integer(0...1024)) == nil)
    }

    @Test(arguments: [("2", 2.0), ("1.5", 1.5), ("10", 10.0)])
    func number(_ text: String, _ number: Double) {
        #expect(read(text, .number(1...10)) == number)
    }

    @Test(arguments: ["", "0.9", "10.1", "nan", "inf", "1e0", "0x2", "1.", ".5", "-2", "2,5"])
    func noNumber(_ text: String) {
        #expect(read(text, .number(1...10)) == nil)
    }

    @Test func trueAndFalse() {
        for text in ["true", "True", "yes", "on", "1"] { #expect(read(text, .boolean) == true) }
        for text in ["false", "FALSE", "no", "off", "0"] { #expect(read(text, .boolean) == false) }
        for text in ["", "y", "2", "tru", "enabled"] { #expect(read(text, .boolean) == nil) }
    }

    @Test func aWordFromAListIsGuessed() {
        #expect(read("warning", ValueFormat<LogLevel>.choice) == .warning)
        #expect(hint("warn", ValueFormat<LogLevel>.choice) == "did you mean warning?")
        #expect(hint("production", ValueFormat<RunMode>.choice) == "did you mean prod?")
        #expect(hint("loud", ValueFormat<LogLevel>.choice) == nil)
    }

    @Test func pathsBecomeAbsolute() {
        #expect(read("/var/www", .path()) == "/var/www")
        #expect(read("public", .path()) == "/srv/app/public")
        #expect(read("./none", .path()) == "/srv/app/none")
        #expect(read("none", ValueFormat.path().orWord("none")) == .some(nil))
        #expect(read("", .path()) == nil)
        #expect(read(String(repeating: "a", count: 99), .path(maxBytes: 107)) == nil)
    }

    @Test(arguments: [
        "8080", ":8080", "127.0.0.1:8080", "localhost:80", "[::1]:8080", "[fe80::1%eth0]:1", "*:0",
        "unix:/run/app.sock",
        "my-host.example.org:65535",
    ])
    func listenAddress(_ text: String) throws {
        let address = try #require(read(text, ValueFormat.listen))
        #expect(read(address.description, ValueFormat.listen) == address)
    }

    @Test(arguments: [
        "", "localhost", ":65536", "::1:80", "http://localhost:80", "a b:80", "1.2.3:80", "999.0.0.1:80", "[::g]:80",
        "/run/x.sock",
        "unix:run.sock", "[1.2.3.4]:80", "host/:80", "-x:80",
    ])
    func noListenAddress(_ text: String) {
        #expect(read(text, ValueFormat.listen) == nil)
    }

    @Test func listenHints() {
        #expect(hint("localhost", .listen) == "it needs a port: localhost:8080")
        #expect(hint("/run/x.sock", .listen) == "did you mean unix:/run/x.sock?")
    }

    @Test(arguments: [
        ("wss://chat.example.org", "wss://chat.example.org"), ("ws://localhost:8080/", "ws://localhost:8080"),
        ("wss://[::1]:1/base/", "wss://[::1]:1/base"),
    ])
    func publicURL(_ text: String, _ canonical: String) {
        #expect(read(text, .webSocketURL) == canonical)
    }

    @Test(arguments: [
        "", "wss://", "chat.example.org", "https://chat.example.org", "wss://a b", "wss://host?x=1", "wss://host#f",
        "wss://u@host",
        "wss://host:0", "wss://host:99999", "wss:///path", "wss://host/../x",
    ])
    func noPublicURL(_ text: String) {
        #expect(read(text, .webSocketURL) == nil)
    }

    @Test(arguments: ["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8", "0.0.0.0/0", "192.168.1.128/25", "1.2.3.4/32"])
    func network(_ text: String) {
        #expect(read(text, .network) == text)
    }

    @Test(arguments: ["", "localhost", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8"])
    func noNetwork(_ text: String) {
        #expect(read(text, .network) == nil)
    }

    @Test func aNetworkWithHostBitsIsToldItsOwnForm() {
        #expect(hint("10.1.2.3/8", .network) == "did you mean 10.0.0.0/8?")
        #expect(hint("fd12::1/16", .network) == "did you mean fd12::/16?")
    }

    @Test(arguments: ["/wsd/", "/a/b/"])
    func prefix(_ text: String) {
        #expect(read(text, .urlPrefix) == text)
    }

    @Test(arguments: ["", "/", "//", "/wsd", "wsd/", "/a//b/", "/a?/", "/../", "/ä/"])
    func noPrefix(_ text: String) {
        #expect(read(text, .urlPrefix) == nil)
    }

    @Test func suggestions() {
        #expect(Suggestion.nearest(to: "cuont", among: ["count", "mount"]) == "count")
        #expect(Suggestion.nearest(to: "max_memory", among: ["maxMemory", "maxHeader"]) == "maxMemory")
        #expect(Suggestion.nearest(to: "zzz", among: ["count"]) == nil)
        #expect(Suggestion.nearest(to: "", among: ["a"]) == nil)
        #expect(
            Suggestion.nearest(to: String(repeating: "x", count: 65), among: [String(repeating: "x", count: 65)]) == nil
        )
    }
}
