import Model
import NIOCore
import Testing

@testable import WebSocketProtocol

@Suite struct ExtensionElementTests {
    private func shown(_ text: String) -> [String]? {
        ExtensionElement.list(text)?.map { element in
            ([element.name] + element.parameters.map { $0.name + ($0.value.map { "=" + $0 } ?? "") })
                .joined(separator: ";")
        }
    }

    @Test(arguments: [
        ("", []), ("a", ["a"]), (" a , b ", ["a", "b"]), ("a,,b,", ["a", "b"]), ("a;b", ["a;b"]),
        ("a ; b = c;d", ["a;b=c;d"]), (#"a;b="c""#, ["a;b=c"]), (#"a;b="\c\d" , e"#, ["a;b=cd", "e"]),
        ("foo, bar; baz=2", ["foo", "bar;baz=2"]), ("\ta\t;\tb", ["a;b"]),
    ])
    func readsLists(_ text: String, _ elements: [String]) {
        #expect(shown(text) == elements)
    }

    @Test(arguments: [
        ";", "a;", "a;;b", "a b", "a=b", "a;b=", "a;=c", #"a;b="""#, #"a;b="c d""#, #"a;b="c"#, #"a;b="c\"#,
        #"a;b="c"d"#, "a;b=c d", "a(", "a;b@", "a\u{0}", "é", #"a;b="é""#,
    ])
    func refusesWhatIsNone(_ text: String) {
        #expect(shown(text) == nil)
    }
}

@Suite struct DeflateNegotiationTests {
    private static let base = [
        HTTPField("Host", "h"), HTTPField("Upgrade", "websocket"), HTTPField("Connection", "Upgrade"),
        HTTPField("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), HTTPField("Sec-WebSocket-Version", "13"),
    ]

    private func decide(_ extensions: String...) -> Handshake.Decision {
        let fields = Self.base + extensions.map { HTTPField("Sec-WebSocket-Extensions", $0) }
        return Handshake.decide(RequestHead(method: "GET", target: "/", minorVersion: 1, fields: fields))
    }

    private func agreement(
        _ offer: String,
        _ change: (inout CompressionConfiguration) -> Void = { _ in }
    ) -> DeflateAgreement? {
        var configuration = CompressionConfiguration()
        configuration.enabled = true
        configuration.serverContextTakeover = true
        change(&configuration)
        guard case .accept(let handshake) = decide(offer) else { return nil }
        return handshake.agreeOnDeflate(configuration)
    }

    private static let name = "permessage-deflate"

    @Test(arguments: [
        ("", ""),
        ("; server_no_context_takeover", "; server_no_context_takeover"),
        ("; client_no_context_takeover", "; client_no_context_takeover"),
        ("; server_max_window_bits=10", "; server_max_window_bits=10"),
        ("; server_max_window_bits=15", "; server_max_window_bits=15"),
        (#"; server_max_window_bits="1\1""#, "; server_max_window_bits=11"),
        ("; client_max_window_bits", ""),
        ("; client_max_window_bits=15", ""),
        ("; client_max_window_bits=8", "; client_max_window_bits=8"),
        (
            "; client_max_window_bits=12; server_max_window_bits=9; client_no_context_takeover;server_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=12"
        ),
    ])
    func accepts(_ offer: String, _ response: String) {
        #expect(agreement(Self.name + offer)?.response == Self.name + response)
    }

    @Test func everyCombinationOfParametersIsKept() throws {
        let bits: [UInt8?] = [nil, 9, 12, 15]
        for server in bits {
            for client in bits + [8] {
                for (noServer, noClient) in [(false, false), (false, true), (true, false), (true, true)] {
                    var offer = DeflateOffer()
                    offer.serverNoContextTakeover = noServer
                    offer.clientNoContextTakeover = noClient
                    offer.serverMaxWindowBits = server
                    offer.clientMaxWindowBits = client.map { .bits($0) }
                    let made = try #require(agreement(offer.text))
                    let expected = DeflateParameters(
                        serverContextTakeover: !noServer, clientContextTakeover: !noClient,
                        serverWindowBits: server ?? 15, clientWindowBits: client ?? 15)
                    #expect(made.parameters == expected)
                    let element = try #require(ExtensionElement.list(made.response)?.first)
                    let response = try #require(DeflateOffer(element))
                    #expect(offer.parameters(answeredBy: response) == expected, "\(offer.text)")
                }
            }
        }
    }

    @Test(arguments: [
        "; server_max_window_bits", "; server_max_window_bits=8", "; server_max_window_bits=7",
        "; server_max_window_bits=16", "; server_max_window_bits=09", "; server_max_window_bits=+9",
        "; server_max_window_bits=99999999999999999999", "; client_max_window_bits=7", "; client_max_window_bits=16",
        "; client_max_window_bits=x", "; server_no_context_takeover=1", "; client_no_context_takeover=true",
        "; server_no_context_takeover; server_no_context_takeover", "; client_max_window_bits; client_max_window_bits",
        "; client_max_window_bits; client_max_window_bits=9", "; server_max_window_bits=9; server_max_window_bits=9",
        "; unknown", "; Server_No_Context_Takeover", "-frame", "; mem_level=8",
    ])
    func declines(_ offer: String) {
        #expect(agreement(Self.name + offer) == nil)
        // The next one counts.
        #expect(agreement(Self.name + offer + ", " + Self.name)?.response == Self.name)
    }

    @Test func takesTheFirstOfferItCanKeep() {
        let offers = """
            x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=8, \
            permessage-deflate; server_max_window_bits=10, permessage-deflate
            """
        #expect(agreement(offers)?.parameters.serverWindowBits == 10)
        #expect(agreement("x-webkit-deflate-frame, permessage-bzip2") == nil)
        #expect(agreement("permessage-deflate") { $0.enabled = false } == nil)
    }

    @Test func theConfigurationNarrowsIt() {
        let narrow: (inout CompressionConfiguration) -> Void = {
            $0.serverContextTakeover = false
            $0.clientContextTakeover = false
            $0.serverWindowBits = 11
            $0.clientWindowBits = 10
        }
        // A client that does not know client_max_window_bits is not told one.
        let old = agreement("permessage-deflate", narrow)
        #expect(
            old?.response
                == "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11"
        )
        #expect(old?.parameters.clientWindowBits == 15)
        let new = agreement("permessage-deflate; client_max_window_bits; server_max_window_bits=14", narrow)
        #expect(
            new?.parameters
                == DeflateParameters(
                    serverContextTakeover: false, clientContextTakeover: false, serverWindowBits: 11,
                    clientWindowBits: 10))
        #expect(agreement("permessage-deflate; client_max_window_bits=9", narrow)?.parameters.clientWindowBits == 9)
        // What is out of bounds never reaches zlib.
        let wild = agreement("permessage-deflate; client_max_window_bits") {
            $0.serverWindowBits = -1
            $0.clientWindowBits = 1000
        }
        #expect(wild?.parameters.serverWindowBits == 9)
        #expect(wild?.parameters.clientWindowBits == 15)
    }

    @Test func refusesAMalformedField() {
        for field in ["permessage-deflate; =", #"a; b="c"#, "permessage-deflate; a b"] {
            guard case .refuse(let refusal) = decide(field) else {
                Issue.record("not refused: \(field)")
                continue
            }
            #expect(refusal.status == 400)
        }
    }

    @Test func takesSeveralFields() {
        guard case .accept(let offer) = decide("foo", "permessage-deflate; client_max_window_bits") else {
            Issue.record("not accepted")
            return
        }
        #expect(offer.deflateOffers.map(\.text) == ["permessage-deflate; client_max_window_bits"])
    }

    @Test func writesTheAnswer() throws {
        guard case .accept(let offer) = decide("permessage-deflate") else { return }
        var configuration = CompressionConfiguration()
        configuration.enabled = true
        var out = ByteBuffer()
        Handshake.writeAcceptance(of: offer, deflate: offer.agreeOnDeflate(configuration), into: &out)
        #expect(
            String(buffer: out).hasSuffix(
                "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n"))
    }

    @Test func choosesASubprotocolByTheClientsOrder() {
        let offer = HandshakeOffer(acceptKey: "", subprotocols: ["a", "wsd.v1.json", "b"])
        #expect(offer.subprotocol(among: ["b", "wsd.v1.json"]) == "wsd.v1.json")
        #expect(offer.subprotocol(among: ["WSD.v1.json"]) == nil)
        #expect(offer.subprotocol(among: []) == nil)
    }
}
