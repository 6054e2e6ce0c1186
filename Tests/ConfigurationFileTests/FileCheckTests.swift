import Glibc
import Model
import Testing

@testable import ConfigurationFile

/// Files that the configuration names.
@Suite final class FileCheckTests {
    private let path: String

    init() throws {
        var template = Array("/tmp/wsd-configuration-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        try #require(descriptor >= 0)
        close(descriptor)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { unlink(path) }

    private func write(_ text: String, mode: mode_t = 0o600) throws {
        let file = try #require(fopen(path, "w"))
        #expect(fputs(text, file) >= 0)
        #expect(fclose(file) == 0)
        #expect(chmod(path, mode) == 0)
    }

    private func look(_ text: String, _ kind: FileCheck.Kind, mode: mode_t = 0o600) throws -> FileCheck.Verdict {
        try write(text, mode: mode)
        return FileCheck.look(at: path, kind)
    }

    @Test func secrets() throws {
        let secret = String(repeating: "s", count: 32)
        #expect(try look(secret, .secret(least: 32)) == .fine)
        #expect(try look("\(secret)\r\n", .secret(least: 32)) == .fine)
        #expect(
            try look("\(secret.dropLast())\n", .secret(least: 32))
                == .wrong("holds 31 bytes; it must be at least 32: openssl rand -hex 32"))
        #expect(
            try look("short", .secret(least: 1))
                == .doubtful("holds 5 bytes; a good secret has 32: openssl rand -hex 32"))
        #expect(
            try look("\n", .secret(least: 1)) == .wrong("holds 0 bytes; it must be at least 1: openssl rand -hex 32"))
        #expect(
            try look(secret, .secret(least: 32), mode: 0o644)
                == .doubtful("can be read by everybody on this machine: chmod o-r"))
        #expect(try look(secret, .secret(least: 32), mode: 0o640) == .fine)
    }

    @Test func publicKeysAndKeySets() throws {
        #expect(try look("-----BEGIN PUBLIC KEY-----\nx\n", .publicKey, mode: 0o644) == .fine)
        #expect(
            try look("-----BEGIN EC PRIVATE KEY-----\n", .publicKey)
                == .wrong("holds a private key; wsd needs the public one alone: openssl pkey -in private.pem -pubout"))
        #expect(
            try look("{}", .publicKey) == .wrong("holds no PEM text (-----BEGIN PUBLIC KEY-----)"))
        #expect(try look(" \n{\"keys\":[]}", .keySet) == .fine)
        #expect(try look("-----BEGIN", .keySet) == .wrong("holds no JSON key set: {\"keys\": […]}"))
    }

    @Test func whatIsNoFile() throws {
        #expect(FileCheck.look(at: "/nonexistent/key", .publicKey) == .wrong("does not exist"))
        #expect(FileCheck.look(at: "a\0b", .publicKey) == .wrong("does not exist"))
        #expect(FileCheck.look(at: "/tmp", .keySet) == .wrong("is not a regular file"))
        #expect(FileCheck.look(at: "/dev/zero", .keySet) == .wrong("is not a regular file"))
        try write("")
        #expect(truncate(path, 1 << 21) == 0)
        #expect(
            FileCheck.look(at: path, .secret(least: 1)) == .wrong("is larger than 64 KiB; that is no secret"))
    }

    @Test func faultsAndDoubtsStandAtTheirKeys() throws {
        try write(String(repeating: "s", count: 40), mode: 0o644)
        let loaded = try load("auth:\n  secretFile: \(path)")
        #expect(loaded.warnings == ["auth.secretFile: \(path) can be read by everybody on this machine: chmod o-r"])
        #expect(
            problems("auth:\n  secretFile: secret\n  jwksFile: \(path)") == [
                "wsd.yaml:2:15: auth.secretFile is `/srv/app/secret`, which does not exist; make one: "
                    + "(umask 077; openssl rand -hex 32 >FILE)",
                "wsd.yaml:3:13: auth.jwksFile is `\(path)`, which holds no JSON key set: {\"keys\": […]}",
            ])
        #expect(
            problems(environment: ["WSD_AUTH_PUBLIC_KEY_FILE": "/nonexistent/key"]) == [
                "environment WSD_AUTH_PUBLIC_KEY_FILE: auth.publicKeyFile is `/nonexistent/key`, which does not exist"
            ])
    }

    @Test func aWebhookNeedsItsSecret() throws {
        let hook = "webhooks:\n  join:\n    url: https://app.example.org/join\n"
        #expect(
            problems(hook) == [
                "wsd.yaml:3:10: webhooks.join.url needs webhooks.secretFile: the file with the secret that signs the calls"
            ])
        try write(String(repeating: "s", count: 40))
        let loaded = try load("\(hook)  secretFile: \(path)")
        #expect(loaded.configuration.webhooks.join.url == "https://app.example.org/join")
        #expect(loaded.configuration.webhooks.isUsed)
        #expect(loaded.warnings == [])
    }

    @Test func requiredAuthenticationNeedsAWay() throws {
        #expect(
            problems("auth:\n  required: true") == [
                "wsd.yaml:2:13: auth.required is on, but nobody could authenticate: set auth.secretFile, auth.publicKeyFile or "
                    + "auth.jwksFile, or webhooks.connect.url"
            ])
        try write(String(repeating: "s", count: 40))
        #expect(try load("auth: {required: true, secretFile: \(path)}").configuration.auth.required)
        let hook = "webhooks: {secretFile: \(path), connect: {url: 'http://localhost:3000/connect?a=b'}}"
        #expect(try load("auth: {required: true}\n\(hook)").configuration.knowsIdentities)
    }
}
