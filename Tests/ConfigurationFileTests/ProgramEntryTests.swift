import Glibc
import Model
import Testing

@testable import ConfigurationFile

/// Programs as JSON: on the control socket, and in the file that remembers them.
@Suite struct ProgramEntryTests {
    private func faults(_ json: String) -> [String] {
        do throws(ConfigurationErrors) {
            _ = try ProgramEntry.parse(json: json, defaults: "/home/me")
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test func anEntryIsRead() throws {
        let json = """
            {"name": "api", "command": "node a.js", "instances": 2, "autostart": false, "user": null, "ready": "2s",
             "restartFactor": 1.5, "environment": {"A": 1, "B": "\\ud83d\\ude00\\u0007\\/"}, "watch": ["."], "umask": 22}
            """
        var expected = ProgramConfiguration()
        (expected.name, expected.command, expected.folder) = ("api", ["node", "a.js"], "/home/me")
        (expected.instances, expected.autostart, expected.ready) = (2, false, .after(.seconds(2)))
        (expected.backoff.factor, expected.umask, expected.watch) = (1.5, 0o22, ["/home/me"])
        expected.environment = ["A=1", "B=\u{1F600}\u{7}/"]
        let read = try ProgramEntry.parse(json: json, defaults: "/home/me")
        #expect(read == expected)
        #expect(try ProgramEntry.parse(json: ProgramEntry.text(read), defaults: "/elsewhere") == read)
    }

    @Test(arguments: [
        ("", "program: it is no JSON object: {\"name\": …, \"command\": …}"),
        ("[]", "program: it is no JSON object: {\"name\": …, \"command\": …}"),
        (
            #"{"name": "api"}"#,
            "api: the entry lacks command: a program and its arguments, as one text or as a list of texts"
        ),
        (#"{"command": []}"#, "program: the entry lacks name: a name of 1 to 64 letters"),
        (#"{"name": "api", "command": []}"#, "api: command is empty; it must name the program to run"),
        (
            #"{"name": "api", "command": "x", "stopSignal": "FOO"}"#,
            "api: stopSignal is `FOO`; it must be a signal such as SIGTERM, INT or 15"
        ),
        (#"{"name": "api", "command": "x", "cwd": "/"}"#, "api: the entry has no key `cwd`; did you mean folder?"),
        (#"{"name": "api", "command": ["x", ["y"]]}"#, "api: an entry of command must be text"),
        (#"{"name": ["api"], "command": "x"}"#, "program: name takes one value, not a list"),
        (
            #"{"name": "api", "command": "x", "environment": {"A": {"secret": 1}}}"#,
            "api: A in environment must be text"
        ),
    ])
    func entriesThatAreNone(_ json: String, _ expected: String) {
        #expect(faults(json).count == 1 && faults(json)[0].hasPrefix(expected), "\(faults(json))")
    }

    @Test func everyFaultIsToldAndNoValueOfAVariable() {
        let found = faults(
            #"{"name": "all", "command": "a|b", "x": 1, "environment": {"LISTEN_FDS": "secret"}, "instances": -1}"#)
        #expect(found.count == 5)
        #expect(!found.joined().contains("secret"))
    }

    @Test func settingsAreShown() throws {
        let program = try ProgramEntry.parse(
            json: #"{"name": "a", "command": "x y", "environment": ["K=v"], "folder": "/"}"#, defaults: nil)
        let settings = ProgramEntry.settings(program)
        #expect(settings.map(\.key) == ConfigurationSchema.program.map(\.leaf))
        let set = settings.filter { !$0.isDefault }.map { "\($0.key): \($0.value)" }
        #expect(set == ["name: a", "command: [x, y]", "folder: /", "environment: [\"K=********\"]"])
        #expect(ProgramEntry.settings(program, showsSecrets: true).contains { $0.value == "[\"K=v\"]" })
        let value = { key in settings.first { $0.key == key }?.value }
        #expect(value("user") == "the one of wsd" && value("restart") == "always" && value("stopSignal") == "SIGTERM")
    }

    // MARK: - The file

    private func remembered() throws -> RememberedPrograms {
        let (first, second) = (
            try ProgramEntry.parse(
                json: #"{"name": "a", "command": "x", "environment": {"K": "\n\""}}"#, defaults: "/"),
            try ProgramEntry.parse(json: #"{"name": "b", "command": "y"}"#, defaults: "/")
        )
        return RememberedPrograms([
            RememberedPrograms.Entry(configuration: first, isWanted: true, number: 3),
            RememberedPrograms.Entry(configuration: second, isWanted: false, number: nil),
        ])
    }

    private func inFolder(_ body: (String) throws -> Void) throws {
        var template = Array("/tmp/wsd-remembered-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer {
            for name in ["", ".new", ".broken-1", ".broken-2"] { unlink("\(folder)/programs.json\(name)") }
            rmdir(folder)
        }
        try body("\(folder)/programs.json")
    }

    @Test func programsAreRemembered() throws {
        try inFolder { path in
            #expect(RememberedPrograms.load(from: path) == RememberedPrograms.Loaded())
            let programs = try remembered()
            try programs.save(to: path)
            try programs.save(to: path)
            #expect(RememberedPrograms.load(from: path) == RememberedPrograms.Loaded(programs: programs))
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
            #expect(access("\(path).new", F_OK) != 0)
        }
    }

    @Test func aDamagedFileIsPutAside() throws {
        try inFolder { path in
            for number in 1...2 {
                try write("{\"version\":1,\"pro", to: path)
                let found = RememberedPrograms.load(from: path)
                #expect(found.programs.entries.isEmpty && found.obstacle == nil)
                let reason = "no list of programs can be read from it"
                #expect(found.warnings == ["\(path): \(reason). It is kept as \(path).broken-\(number)."])
                #expect(access(path, F_OK) != 0 && access("\(path).broken-\(number)", F_OK) == 0)
            }
        }
    }

    @Test func whatIsLeftOfADamagedFileStays() throws {
        try inFolder { path in
            var programs = try remembered()
            try write(programs.text.replacing("[\"y\"]", with: "[[\"y\"]]"), to: path)
            let found = RememberedPrograms.load(from: path)
            programs.entries.removeLast()
            #expect(found.programs == programs && found.warnings.count == 1 && found.obstacle == nil)
            #expect(RememberedPrograms.load(from: path) == RememberedPrograms.Loaded(programs: programs))
        }
    }

    @Test func aFileThatCannotBeReadIsNotWrittenOver() throws {
        try inFolder { path in
            try remembered().save(to: path)
            for (mode, reason) in [
                (0o620, "others may write to it (mode 0620)"), (0o602, "others may write to it (mode 0602)"),
            ] {
                #expect(chmod(path, mode_t(mode)) == 0)
                let found = RememberedPrograms.load(from: path)
                #expect(found.programs.entries.isEmpty && found.warnings.count == 1)
                #expect(found.obstacle?.hasPrefix("\(path) is not read: \(reason). It is not written over:") == true)
            }
            #expect(chmod(path, 0o600) == 0 && rename(path, "\(path).broken-1") == 0)
            #expect(symlink("\(path).broken-1", path) == 0)
            #expect(RememberedPrograms.load(from: path).obstacle?.contains("it is a symbolic link") == true)
            #expect(unlink(path) == 0 && mkfifo(path, 0o600) == 0)
            #expect(RememberedPrograms.load(from: path).obstacle?.contains("it is no regular file") == true)
        }
    }

    @Test func aFileThatIsTooLargeIsPutAside() throws {
        try inFolder { path in
            try write("{}", to: path)
            #expect(truncate(path, RememberedPrograms.sizeMax + 1) == 0)
            let found = RememberedPrograms.load(from: path)
            #expect(found.obstacle == nil && found.warnings.first?.contains("is larger than 16777216 bytes") == true)
            #expect(access("\(path).broken-1", F_OK) == 0)
        }
    }

    @Test func oneThatCannotBePutAsideIsNotWrittenOver() throws {
        try inFolder { path in
            let names = (1...RememberedPrograms.brokenMax).map { "\(path).broken-\($0)" }
            defer { for name in names { unlink(name) } }
            for name in names + [path] { try write("x", to: name) }
            let found = RememberedPrograms.load(from: path)
            #expect(found.obstacle?.contains("It could not be put aside, and is not written over.") == true)
            #expect(access(path, F_OK) == 0)
        }
    }

    @Test func otherVersionsAreRefused() {
        let (programs, faults) = RememberedPrograms.read("{\"version\":2,\"programs\":[]}")
        #expect(programs.entries.isEmpty && faults == ["its version is 2, and this program reads 1"])
    }

    @Test func aFolderThatIsNotThereIsSaid() throws {
        let error = #expect(throws: RememberedProgramsError.self) {
            try RememberedPrograms().save(to: "/nowhere/programs.json")
        }
        #expect(error?.description == "/nowhere/programs.json cannot be written: No such file or directory.")
    }

    private func write(_ text: String, to path: String) throws {
        let file = try #require(fopen(path, "w"))
        fputs(text, file)
        fclose(file)
    }
}
