import Testing
import Wire

@testable import wsctl

@Suite struct StorageDiagnosisTests {
    private static let service = FileAccess.Identity(user: 500, groups: [500])

    private static func entries(_ values: [String: String]) -> [ConfigurationEntry] {
        values.map { ConfigurationEntry(key: $0.key, value: $0.value, source: "wsd.yaml:1", reloadable: true) }
    }

    private static func components(_ path: String, mode: UInt32, isDirectory: Bool = true, user: UInt32 = 500)
        -> [FileAccess.Component]
    {
        [
            FileAccess.Component(path: "/", user: 0, group: 0, mode: 0o755, isDirectory: true),
            FileAccess.Component(path: path, user: user, group: user, mode: mode, isDirectory: isDirectory),
        ]
    }

    @Test(arguments: [
        ([:], false), (["rooms.defaults.historySize": "0"], false), (["rooms.defaults.historySize": "10"], true),
        (["rooms.rules": "[]"], false),
        (["rooms.rules": #"[{match: "a:*", historySize: 0}, {match: b, historySize: 5}]"#], true),
        (["rooms.rules": #"[{match: "a:*", historySize: 0}]"#], false),
        (["rooms.defaults.historySize": "10", "history.store": "memory"], false),
    ])
    func seesWhetherAnyRoomKeepsHistory(_ values: [String: String], _ expected: Bool) {
        #expect(Diagnosis.keepsHistory(Self.entries(values)) == expected)
    }

    private static func history(mode: UInt32 = 0o700, user: UInt32 = 500, free: Int? = 1 << 40, path: String = "/data")
        -> Check
    {
        let folder = HistoryFolder(
            path: "/data", components: components(path, mode: mode, user: user), databaseSize: 4096, free: free)
        return Diagnosis.history(folder, by: service, user: "wsd")
    }

    @Test func theFolderOfTheHistory() {
        #expect(
            Self.history()
                == .ok("The history's folder /data is writable for wsd; the database has 4.0 KiB, 1.0 TiB are free."))
        #expect(Self.history(free: nil).verdict == .ok)
        #expect(Self.history(free: Diagnosis.enoughSpace - 1).verdict == .note)
        #expect(Self.history(free: Diagnosis.littleSpace - 1).finding.contains("is nearly full: 64.0 MiB are free"))
        #expect(Self.history(mode: 0o500).finding.contains("cannot be written by wsd"))
        #expect(Self.history(mode: 0o755, user: 0).verdict == .problem)
        #expect(Self.history(path: "/other").finding.contains("does not exist"))
        #expect(Diagnosis.history(nil, by: Self.service, user: "wsd").verdict == .problem)
        let file = HistoryFolder(path: "/f", components: Self.components("/f", mode: 0o600, isDirectory: false))
        #expect(Diagnosis.history(file, by: Self.service, user: "wsd").finding.contains("is no folder"))
    }

    @Test(arguments: [
        (0o600 as UInt32, true, Check.Verdict.ok), (0o640, true, .ok), (0o644, true, .problem), (0o660, true, .problem),
        (0o644, false, .ok), (0o664, false, .problem), (0o200, false, .problem),
    ])
    func modesOfKeyFiles(_ mode: UInt32, _ isSecret: Bool, _ verdict: Check.Verdict) {
        let components = Self.components("/k", mode: mode, isDirectory: false)
        let check = Diagnosis.keyFile(
            "/k", what: "The secret of tokens", isSecret: isSecret, components: components, by: Self.service,
            user: "wsd")
        #expect(check.verdict == verdict, "\(check.finding)")
    }
}
