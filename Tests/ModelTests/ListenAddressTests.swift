import Model
import Testing

@Suite struct ListenAddressTests {
    @Test(
        arguments: [
            ("8080", .tcp(host: nil, port: 8080), ":8080"),
            (":8080", .tcp(host: nil, port: 8080), ":8080"),
            ("*:80", .tcp(host: nil, port: 80), ":80"),
            ("0", .tcp(host: nil, port: 0), ":0"),
            ("127.0.0.1:65535", .tcp(host: "127.0.0.1", port: 65535), "127.0.0.1:65535"),
            ("localhost:1", .tcp(host: "localhost", port: 1), "localhost:1"),
            ("[::1]:8080", .tcp(host: "::1", port: 8080), "[::1]:8080"),
            ("unix:/run/app.sock", .unix(path: "/run/app.sock"), "unix:/run/app.sock"),
        ] as [(String, ListenAddress, String)])
    func textForms(text: String, address: ListenAddress, description: String) {
        #expect(ListenAddress(text) == address)
        #expect(address.description == description)
        #expect(ListenAddress(description) == address)
    }

    @Test(arguments: [
        "", ":", "localhost", "65536", "-1", "1:2:3", "::1:8080", "[::1]", "[localhost]:80", "[]:80", "a:b", "unix:",
        "unix:relative.sock", "127.0.0.1:80 ",
    ])
    func textsThatAreNone(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    @Test func pathsFitASocketAddress() {
        let longest = "/" + String(repeating: "x", count: 106)
        #expect(ListenAddress("unix:\(longest)") == .unix(path: longest))
        #expect(ListenAddress("unix:\(longest)x") == nil)
    }
}
