import Glibc
import Model
import Testing

@testable import ConfigurationFile

/// The section `tls`: values, and what must hold between them.
@Suite final class TLSRuleTests {
    private let folder: String

    init() throws {
        var template = Array("/tmp/wsd-configuration-XXXXXX".utf8CString)
        folder = try #require(mkdtemp(&template).map { String(cString: $0) })
        try write("cert.pem", "-----BEGIN CERTIFICATE-----\n")
        try write("key.pem", "-----BEGIN PRIVATE KEY-----\n")
    }

    deinit {
        for name in ["cert.pem", "key.pem"] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }

    private func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws {
        let file = try #require(fopen("\(folder)/\(name)", "w"))
        #expect(fputs(text, file) >= 0)
        #expect(fclose(file) == 0)
        #expect(chmod("\(folder)/\(name)", mode) == 0)
    }

    private var pair: String { "certificate: \(folder)/cert.pem, key: \(folder)/key.pem" }

    @Test func values() throws {
        let text = """
            listen: [":443", "unix:/run/a.sock"]
            tls: {\(pair), minimumVersion: 1.3, clientCertificates: optional, clientAuthority: \(folder)/cert.pem,
              redirectFrom: ":80", hsts: 1h}
            """
        let tls = try load(text).configuration.tls
        #expect(tls.isOn && tls.minimumVersion == .tls13 && tls.clientCertificates == .optional)
        #expect(tls.redirectFrom == [.tcp(host: nil, port: 80)] && tls.hsts == .seconds(3600))
        let defaults = try load("tls: {\(pair)}").configuration.tls
        #expect(defaults.minimumVersion == .tls12 && defaults.clientCertificates == .none && defaults.hsts == .zero)
        #expect(!(try load("").configuration.tls.isOn))
    }

    @Test func whatBelongsTogether() {
        #expect(problems("tls: {certificate: \(folder)/cert.pem}").first?.contains("needs tls.key") == true)
        #expect(problems("tls: {key: \(folder)/key.pem}").first?.contains("needs tls.certificate") == true)
        for rest in ["hsts: 1h", "redirectFrom: \":80\""] {
            #expect(problems("tls: {\(rest)}").first?.contains("needs tls.certificate and tls.key") == true)
        }
        let unsigned = problems("tls: {\(pair), clientCertificates: required}")
        #expect(unsigned.first?.contains("which needs tls.clientAuthority") == true && unsigned.count == 1)
    }

    @Test(arguments: [
        ("[\":8443\"]", "[\":8443\"]", "where listen has the service itself"),
        ("[\":8443\"]", "[\"127.0.0.1:8443\"]", "which excludes :8443 of listen"),
        ("[\"127.0.0.1:8443\"]", "[\":8443\"]", "which excludes 127.0.0.1:8443 of listen"),
        ("[\":8443\"]", "[\":80\", \":80\"]", "twice"),
        ("[\":8443\"]", "[\"unix:/a\"]", "only browsers need redirects"),
    ])
    func redirectsThatCannotBe(_ listen: String, _ redirects: String, _ sentence: String) {
        let found = problems("listen: \(listen)\ntls: {\(pair), redirectFrom: \(redirects)}")
        #expect(found.count == 1 && found.first?.contains(sentence) == true, "\(found)")
    }

    @Test func severalRedirects() {
        #expect(
            problems(
                "listen: \":443\"\ntls: {\(pair), redirectFrom: [\"127.0.0.1:80\", \"[::1]:80\", \"127.0.0.1:0\"]}")
                == [])
    }

    @Test func files() throws {
        try write("key.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
        #expect(problems("tls: {\(pair)}").first?.contains("is protected by a passphrase") == true)
        try write("key.pem", "-----BEGIN CERTIFICATE-----\n")
        #expect(problems("tls: {\(pair)}").first?.contains("holds no private key in PEM form") == true)
        try write("key.pem", "-----BEGIN EC PRIVATE KEY-----\n", mode: 0o644)
        #expect(try load("tls: {\(pair)}").warnings.first?.contains("can be read by everybody") == true)
        try write("cert.pem", "-----BEGIN PUBLIC KEY-----\n")
        #expect(problems("tls: {\(pair)}").first?.contains("holds no certificate in PEM form") == true)
    }

    @Test func doubts() throws {
        func doubt(_ text: String) throws -> String { try load(text).warnings.joined(separator: "; ") }
        #expect(try doubt("listen: unix:/a\ntls: {\(pair)}").contains("tls.certificate says nothing"))
        #expect(
            try doubt("tls: {\(pair), clientAuthority: \(folder)/cert.pem}").contains(
                "tls.clientAuthority says nothing"))
        #expect(try doubt("http: {publicURL: \"ws://a\"}\ntls: {\(pair)}").contains("write wss://"))
        #expect(try doubt("tls: {\(pair)}") == "")
    }

    @Test func onlyTheRedirectsStay() {
        var (old, new) = (WsdConfiguration(), WsdConfiguration())
        old.tls.redirectFrom = [.tcp(host: nil, port: 80)]
        new.tls.certificate = "/c"
        let differences = ConfigurationLoader.differences(old, new)
        #expect(differences.reloadable == ["tls.certificate"] && differences.notReloadable == ["tls.redirectFrom"])
    }
}
