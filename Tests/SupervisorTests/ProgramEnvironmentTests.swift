import FoundationEssentials
import Supervision
import Testing

@testable import Model
@testable import Supervisor

struct ProgramEnvironmentTests {
    private func make(_ adjust: (inout ProgramConfiguration) -> Void) throws -> ProgramEnvironment {
        var configuration = ProgramConfiguration()
        adjust(&configuration)
        return try ProgramEnvironment(
            supervisor: [
                "PATH": "/usr/bin", "NOTIFY_SOCKET": "/n", "LISTEN_FDS": "1", "WATCHDOG_USEC": "1", "WSD_API_KEY": "k",
                "WSD_SOCKET": "/old", "STATE_DIRECTORY": "/s", "CREDENTIALS_DIRECTORY": "/c", "_": "/bin/x",
                "SHLVL": "1",
            ], process: ProgramProcessID(program: "api", number: 2), controlSocket: "/run/c.sock",
            configuration: configuration)
    }

    @Test func leavesOutWhatIsMeantForWsdAndSaysWhoItIs() throws {
        let environment = try make { $0.environment = ["A=1", "A=b=c", "PATH=/own"] }
        #expect(
            environment.values == [
                "PATH": "/own", "A": "b=c", "WSD_SOCKET": "/run/c.sock", "WSD_SUPERVISOR": "/run/c.sock",
                "WSD_PROGRAM": "api", "WSD_NUMBER": "2", "NODE_APP_INSTANCE": "1",
            ])
        #expect(environment.own == ["A", "PATH"])
    }

    @Test func anotherUserDoesNotGetTheSessionOfThisOne() throws {
        var configuration = ProgramConfiguration()
        configuration.environment = ["SSH_AUTH_SOCK=/own"]
        let supervisor = [
            "LANG": "C", "XDG_RUNTIME_DIR": "/run/user/1", "DBUS_SESSION_BUS_ADDRESS": "unix:x", "XDG_DATA_DIRS": "/d",
            "XDG_CONFIG_HOME": "/home/ada/.config", "SSH_AUTH_SOCK": "/tmp/agent",
        ]
        let process = ProgramProcessID(program: "api", number: 1)
        func names(isOtherUser: Bool) throws -> [String] {
            try ProgramEnvironment(
                supervisor: supervisor, process: process, controlSocket: "/c", configuration: configuration,
                isOtherUser: isOtherUser
            ).values.keys.filter { supervisor[$0] != nil }.sorted()
        }
        #expect(try names(isOtherUser: false) == supervisor.keys.sorted())
        #expect(try names(isOtherUser: true) == ["LANG", "SSH_AUTH_SOCK", "XDG_DATA_DIRS"])
    }

    @Test func theFolderIsItsOwn() throws {
        var configuration = ProgramConfiguration()
        configuration.folder = "/srv/app"
        for (supervisor, expected) in [(["PWD": "/home/ada"], "/srv/app"), ([:], nil)] {
            let environment = try ProgramEnvironment(
                supervisor: supervisor, process: ProgramProcessID(program: "api", number: 1),
                controlSocket: "/run/c.sock", configuration: configuration)
            #expect(environment.values["PWD"] == expected)
        }
    }

    @Test func readsFilesBeforeItsOwnAssignments() throws {
        let path = FileManager.default.temporaryDirectory.path + "/wsd-environment-\(UInt64.random(in: 0 ... .max))"
        try Data("A=file\nB=file\n".utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let environment = try make {
            $0.environmentFiles = [path, "-/nowhere/at/all"]
            $0.environment = ["B=own"]
        }
        #expect(environment.values["A"] == "file")
        #expect(environment.values["B"] == "own")
        #expect(throws: ProgramSystemError.self) { try make { $0.environmentFiles = ["/nowhere/at/all"] } }
        #expect(throws: ProgramSystemError.self) { try make { $0.environmentFiles = ["/dev/zero"] } }
    }

    @Test func readsWhatPeopleWriteIntoSuchFiles() throws {
        let text = """
            # a comment
            A=1
              export B = two words # and a comment
            C="a \\"quoted\\"\\nvalue" # ends
            D='as $it \\is'
            E=
            F=a#b\r
            G="x=y"

            """
        let read = try ProgramEnvironment.parse(text, path: "/x").map { "\($0.name)=\($0.value)" }
        #expect(
            read == ["A=1", "B=two words", "C=a \"quoted\"\nvalue", "D=as $it \\is", "E=", "F=a#b", "G=x=y"])
    }

    @Test(arguments: [
        ("A=1\nnothing\n", 2), ("A=\"open\n", 1), ("1A=x", 1), ("=x", 1), ("A='x' y", 1), ("A=1\n\nB C=2", 3),
    ])
    func namesTheLineThatIsWrong(_ text: String, _ line: Int) {
        let error = #expect(throws: ProgramSystemError.self) { try ProgramEnvironment.parse(text, path: "-/x.env") }
        #expect(error?.description.hasPrefix("/x.env, line \(line): ") == true)
    }
}
