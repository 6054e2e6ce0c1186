import Testing

@testable import wsctl

@Suite struct StartPlanTests {
    /// The caller's folder is /srv/app.
    private static func kind(_ path: String) -> ScriptFile.Kind {
        switch path {
        case "/srv/app/app.js", "/srv/app/lib/job.py", "/srv/app/api", "/srv/app/notes.txt": .file(isExecutable: false)
        case "/srv/app/ecosystem.config.js", "/srv/app/apps.json", "/srv/app/wsd.yaml": .file(isExecutable: false)
        case "/srv/app/serve", "/srv/app/odd.xyz": .file(isExecutable: true)
        case "/srv/app/lib": .folder
        default: .absent
        }
    }

    private static func plan(
        _ words: [String], _ command: [String] = [], settings: Bool = false, known: Set<String>? = ["api", "1"]
    ) throws -> StartPlan {
        try StartPlan.make(
            words: words, command: command, hasSettings: settings, known: known, folder: "/srv/app", kind: kind)
    }

    private static func complaint(
        _ words: [String], _ command: [String] = [], settings: Bool = false, known: Set<String>? = ["api", "1"]
    ) -> StartComplaint? {
        do {
            _ = try plan(words, command, settings: settings, known: known)
            return nil
        } catch {
            return error as? StartComplaint
        }
    }

    @Test func knownProgramsGoBeforeFiles() throws {
        #expect(try Self.plan(["api"]) == .known(["api"]))
        #expect(try Self.plan(["1", "all"]) == .known(["1", "all"]))
    }

    @Test(arguments: [
        (["app.js"], ["node", "/srv/app/app.js"]), (["./lib/../lib/job.py"], ["python3", "/srv/app/lib/job.py"]),
        (["serve"], ["/srv/app/serve"]), (["/srv/app/odd.xyz"], ["/srv/app/odd.xyz"]),
    ])
    func filesRunByTheirExtension(words: [String], expected: [String]) throws {
        for known in [nil, Set<String>()] {
            #expect(try Self.plan(words, known: known) == .new([.init(words: expected)]))
        }
    }

    @Test func whatStandsBehindTheDashesIsTheCommand() throws {
        #expect(try Self.plan([], ["node", "app.js"]) == .new([.init(words: ["node", "app.js"])]))
        #expect(try Self.plan([], ["npm run dev"]) == .new([.init(words: ["npm run dev"], isOneText: true)]))
        #expect(try Self.plan(["app.js"], ["-v"]) == .new([.init(words: ["node", "/srv/app/app.js", "-v"])]))
        #expect(
            try Self.plan(["app.js", "serve"])
                == .new([.init(words: ["node", "/srv/app/app.js"]), .init(words: ["/srv/app/serve"])]))
    }

    @Test func whatCannotBeStartedIsSaid() {
        #expect(Self.complaint(["nod"])?.message.contains("neither a program 'nod'") == true)
        #expect(Self.complaint(["nod"])?.message.hasSuffix("wsctl start -- nod") == true)
        #expect(Self.complaint(["nod"], known: nil)?.status == .notRunning)
        #expect(Self.complaint(["nod"], known: nil)?.message.contains("wsctl resurrect") == true)
        #expect(Self.complaint(["node", "app.js"])?.message.hasSuffix("wsctl start -- node app.js") == true)
        #expect(Self.complaint(["ap.js"])?.message.contains("--") == false)
        #expect(Self.complaint(["lib"])?.message.hasPrefix("lib is a folder.") == true)
        #expect(Self.complaint(["notes.txt"])?.message.contains("chmod +x") == true)
        #expect(Self.complaint(["1"], settings: true)?.message.contains("wsctl scale") == true)
        #expect(Self.complaint(["1", "app.js"])?.message.contains("one at a time") == true)
        #expect(Self.complaint(["app.js", "serve"], ["x"]) != nil)
        #expect(throws: StartComplaint("Several programs cannot have one --name.", status: .usage)) {
            try StartPlan.make(
                words: ["app.js", "serve"], command: [], hasSettings: true, isNamed: true, known: [],
                folder: "/srv/app",
                kind: Self.kind)
        }
    }

    @Test func filesThatDescribeProgramsAreNone() {
        let ecosystem = Self.complaint(["ecosystem.config.js"])?.message
        #expect(ecosystem?.contains(#"require("./ecosystem.config.js"))' | wsctl import -"#) == true)
        #expect(Self.complaint(["apps.json"])?.message.hasSuffix("wsctl import apps.json") == true)
        #expect(Self.complaint(["wsd.yaml"])?.message.contains("`wsctl reload`") == true)
    }

    @Test(arguments: [
        (["node", "app.js"], "app"), (["node", "--inspect", "-r", "dotenv/config", "/a/my app.mjs"], "my-app"),
        (["python3.12", "-u", "-m", "http.server", "8000"], "http.server"), (["npm", "start"], "shop"),
        (["/usr/bin/env", "A=1", "node", "x/worker.js"], "shop-worker"),
        (["java", "-Xmx1g", "-jar", "b/app.jar"], "app"),
        (["deno", "run", "-A", "main.ts"], "main"), (["bash", "-c", "sleep 1"], "bash"), (["./bin/serve.sh"], "serve"),
        (["redis-server", "--port", "1"], "redis-server"), (["/opt/.hidden"], "hidden"), (["node"], "node"),
    ])
    func programsAreNamedAfterTheirScript(command: [String], name: String) {
        #expect(ProgramNaming.name(of: command, folder: "/srv/shop") == name)
    }

    @Test(arguments: [["./7.sh"], ["./all"], ["node", "ö.js"], []])
    func someHaveNoName(command: [String]) {
        #expect(ProgramNaming.name(of: command, folder: "/") == nil)
    }
}
