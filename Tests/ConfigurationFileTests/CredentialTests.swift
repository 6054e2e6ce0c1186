import FoundationEssentials
import Model
import Testing

@testable import ConfigurationFile

struct CredentialTests {
    private static let digest = String(repeating: "ab", count: 32)

    private func withCredentials<T>(_ files: [String: String], _ body: ([String: String]) throws -> T) throws -> T {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wsd-\(UInt64.random(in: 0...UInt64.max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files { try Data(text.utf8).write(to: folder.appending(path: name)) }
        return try body(["CREDENTIALS_DIRECTORY": folder.path])
    }

    @Test func aFileMayBeACredential() throws {
        try withCredentials(["jwt": String(repeating: "s", count: 40)]) { environment in
            let loaded = try load("auth: { secretFile: credential:jwt }", environment: environment)
            #expect(loaded.configuration.auth.secretFile == (environment["CREDENTIALS_DIRECTORY"] ?? "") + "/jwt")
        }
    }

    @Test func keysMayStandInACredential() throws {
        let keys = "- name: web\n  sha256: \(Self.digest)\n  allow: [publish]\n"
        try withCredentials(["keys": keys]) { environment in
            let loaded = try load("api: { keys: credential:keys }", environment: environment)
            #expect(loaded.configuration.api.keys.map(\.name) == ["web"])
            #expect(loaded.source("api.keys") == "wsd.yaml:1")
            let byVariable = try load(environment: environment.merging(["WSD_API_KEYS": "credential:keys"]) { $1 })
            #expect(byVariable.configuration.api.keys.map(\.sha256) == [Self.digest])
        }
    }

    @Test func aMissingOneIsNamedWithThoseThatAreThere() throws {
        try withCredentials(["other": "x", "more": "y"]) { environment in
            let found = problems("auth: { secretFile: credential:jwt }", environment: environment)
            #expect(found.count == 1)
            #expect(
                found.first?.contains("the unit has no credential jwt, only more, other: add LoadCredential=jwt:FILE")
                    == true)
        }
    }

    @Test func withoutAServiceManagerThereAreNone() {
        #expect(
            problems("auth: { secretFile: credential:jwt }").first?.contains("this process has no credentials") == true)
        #expect(problems("api: { keys: credential:keys }").first?.contains("LoadCredential=keys:FILE") == true)
    }

    @Test(arguments: ["", "..", "a/b", "a b", "ä"])
    func namesAreThoseOfFiles(name: String) throws {
        try withCredentials([:]) { environment in
            let found = problems("auth: { secretFile: \"credential:\(name)\" }", environment: environment)
            #expect(found.first?.contains("is no name of a credential") == true)
        }
    }

    /// What stands in it is never shown.
    @Test(arguments: ["", "- name: web\n  sha256: top-secret\n", "credential:keys", "just top-secret text"])
    func whatIsWrongInACredentialIsSaid(text: String) throws {
        try withCredentials(["keys": text]) { environment in
            let found = problems("api: { keys: credential:keys }", environment: environment)
            #expect(!found.isEmpty)
            #expect(found.allSatisfy { $0.contains("api.keys") && !$0.contains("top-secret") }, "\(found)")
        }
    }

    @Test func onlyKeysOfBackendsMay() throws {
        try withCredentials(["rules": "- match: \"*\"\n"]) { environment in
            #expect(!problems("rooms: { rules: credential:rules }", environment: environment).isEmpty)
        }
    }
}
