import Glibc
import Model
import Testing

@testable import ConfigurationFile

/// Files of the real file system.
@Suite final class FileReaderTests {
    private let folder: String

    init() throws {
        var template = Array("/tmp/wsd-configuration-XXXXXX".utf8CString)
        _ = try #require(mkdtemp(&template))
        folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        for name in ["wsd.yaml", "other.yaml", "xdg/wsd/wsd.yaml"] { unlink("\(folder)/\(name)") }
        for name in ["/xdg/wsd", "/xdg", ""] { rmdir(folder + name) }
    }

    private func write(_ bytes: [UInt8], _ name: String = "wsd.yaml") throws {
        let file = try #require(fopen("\(folder)/\(name)", "w"))
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        #expect(fclose(file) == 0)
    }

    private func load(_ file: String? = nil, environment: [String: String] = [:]) throws(ConfigurationErrors)
        -> LoadedConfiguration
    {
        try ConfigurationLoader(file: file, environment: environment, workingFolder: folder).load()
    }

    private func refusal(_ file: String? = nil) -> String? {
        do throws(ConfigurationErrors) {
            _ = try load(file)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func placesAreSearchedInOrder() throws {
        let environment = ["XDG_CONFIG_HOME": "\(folder)/xdg"]
        #expect(mkdir("\(folder)/xdg", 0o700) == 0 && mkdir("\(folder)/xdg/wsd", 0o700) == 0)
        try write(Array("workers: {count: 2}".utf8), "xdg/wsd/wsd.yaml")
        #expect(try load(environment: environment).source("workers.count") == "\(folder)/xdg/wsd/wsd.yaml:1")
        try write(Array("workers: {count: 3}".utf8))
        let loaded = try load(environment: environment)
        #expect(loaded.configuration.workers.count == 3)
        #expect(loaded.source("workers.count") == "wsd.yaml:1")
        #expect(loaded.file == "\(folder)/wsd.yaml")
    }

    @Test func theNamedFileIsReadInstead() throws {
        try write(Array("workers: {count: 2}".utf8), "other.yaml")
        #expect(try load(environment: ["WSD_CONFIG": "other.yaml"]).configuration.workers.count == 2)
        #expect(try load("\(folder)/other.yaml").file == "\(folder)/other.yaml")
        #expect(try load("/dev/null").file == "/dev/null")
    }

    @Test func homeIsSearchedWithoutXDG() {
        let places = FileReader.candidates(
            environment: ["HOME": "/home/ann", "XDG_CONFIG_HOME": "relative"], folder: "/srv")
        #expect(places.map(\.path) == ["/srv/wsd.yaml", "/home/ann/.config/wsd/wsd.yaml", "/etc/wsd/wsd.yaml"])
    }

    @Test func whatCannotBeReadIsRefused() throws {
        #expect(refusal("missing.yaml") == "missing.yaml: there is no such file")
        #expect(refusal("a\0b") == "a\0b: there is no such file")
        #expect(refusal(folder) == "\(folder): is a folder; name the file in it")
        #expect(mkfifo("\(folder)/other.yaml", 0o600) == 0)
        #expect(refusal("other.yaml") == "other.yaml: is not a regular file; a reload could not read it again")
        #expect(symlink("wsd.yaml", "\(folder)/wsd.yaml") == 0)
        #expect(refusal() == "wsd.yaml: cannot be read: Too many levels of symbolic links")
        #expect(refusal("/dev/zero") == "/dev/zero: is larger than 1 MiB; that is no configuration of wsd")
    }

    @Test func aFolderInTheUsualPlaceIsRefused() throws {
        #expect(mkdir("\(folder)/wsd.yaml", 0o700) == 0)
        defer { rmdir("\(folder)/wsd.yaml") }
        #expect(refusal() == "wsd.yaml: is a folder; name the file in it")
    }

    @Test func onlyUTF8IsRead() throws {
        for bytes: [UInt8] in [[0xFF, 0xFE, 0x61, 0], [0xFE, 0xFF, 0, 0x61], [0x61, 0, 0x62, 0]] {
            try write(bytes)
            #expect(refusal() == "wsd.yaml: the file is UTF-16, UTF-32 or binary; save it as UTF-8")
        }
        try write(Array("mode: dev\n# caf".utf8) + [0xE9, 0x0A])
        #expect(refusal() == "wsd.yaml:2:6: a byte that is not UTF-8; save the file as UTF-8")
        try write([0xEF, 0xBB, 0xBF] + Array("mode: prod".utf8))
        #expect(try load().configuration.mode == .prod)
    }

    @Test func sizeIsBounded() throws {
        try write([UInt8](repeating: UInt8(ascii: "#"), count: FileReader.sizeMax))
        #expect(refusal() == nil)
        try write([UInt8](repeating: UInt8(ascii: "#"), count: FileReader.sizeMax + 1))
        #expect(refusal() == "wsd.yaml: is larger than 1 MiB; that is no configuration of wsd")
    }
}
