import Testing

@testable import ConfigurationFile

/// Texts that nobody would write: each is either read or refused, and never ends the process.
@Suite struct FuzzTests {
    /// SplitMix64 (Steele, Lea, Flood 2014).
    private struct SeededGenerator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    private static let fragments = [
        "\"", "'", "[", "]", "{", "}", ": ", "\n", "\n  ", "\t", "- ", "? ", "*a", "&a ", "!!int ", "|\n", ">-\n", "#",
        "%YAML 9\n", "---\n",
        "...\n", "<<: ", "\u{FEFF}", "\u{85}", "\u{2028}", "\r", "\r\n", "\0", "\u{E000}", "\u{1F600}", "e\u{301}",
        "\\xFF", "\"\\uD800\"",
        "mode: ", "workers:\n", "count", "9223372036854775807", "-1", "1e999", "99999999999h", "0.000001TiB", ":8080",
        "unix:/",
        "[::1]:80", "10.0.0.0/99", "listen", "auto", "none", "~", "match: ", "[{match: a}]", "{user}", "https://",
        "1/s",
    ]

    private func mutated(_ base: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = base
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            let at = Int.random(in: 0...bytes.count, using: &generator)
            let end = Int.random(in: at...min(bytes.count, at + 40), using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes.removeSubrange(at..<end)
            case 1: bytes.insert(contentsOf: Self.fragments.randomElement(using: &generator)?.utf8 ?? "".utf8, at: at)
            case 2: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: at)
            case 3: bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0...bytes.count, using: &generator))
            default:
                bytes.replaceSubrange(at..<end, with: Self.fragments.randomElement(using: &generator)?.utf8 ?? "".utf8)
            }
        }
        return bytes
    }

    private static let base = """
        mode: prod
        listen: [":8080", "unix:/run/app.sock"]
        workers: {count: auto, maxMemory: 512MiB}
        restart:
          initialDelay: 100ms
          factor: 1.5
        websocket:
          paths:
            - /ws
            - "/socket"
          maxMessageSize: 64KiB
        http:
          staticFolder: public   # the pages
          trustedProxies: 10.0.0.0/8
        rooms:
          rules:
            - {match: "chat:*", join: users, historyTTL: 24h}
            - match: "user:{user}"
              rate: 5/s burst 10
        limits: {origins: ["https://*.example.org", same-host], userRate: off}
        webhooks: {rpc: {timeout: 1s}}
        programs:
          - {name: api, command: "node 'a b.js'", environment: {A: b}, ready: "http://3000/x", cron: "*/5 * * * mon"}
          - name: jobs
            command: [x, -y]
            limits: {nofile: "1:2"}
            alive: unix:/run/a.sock:/x
            dependsOn: api
        """

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func files(_ seed: UInt64) {
        var generator = SeededGenerator(state: seed)
        var refused = 0
        for _ in 0..<400 {
            let bytes = mutated(Array(Self.base.utf8), &generator)
            do {
                let source = try SourceText(name: "wsd.yaml", bytes: bytes)
                let loader = ConfigurationLoader(workingFolder: "/srv/app")
                let loaded = try loader.load(FileReader.Found(source: source, path: "/srv/app/wsd.yaml"))
                #expect(loaded.entries.count == ConfigurationSchema.current.keys.count)
            } catch let error as ConfigurationErrors {
                refused += 1
                #expect(!error.problems.isEmpty && !error.description.isEmpty)
            } catch {
                refused += 1
                #expect(error is ConfigurationProblem)
            }
        }
        #expect(refused > 200 && refused < 400)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func variablesAndFlags(_ seed: UInt64) {
        var generator = SeededGenerator(state: seed)
        let names = ConfigurationSchema.current.keys.map(\.variable) + ["PORT", "WSD_HOST", "WSD_PORT"]
        for _ in 0..<400 {
            let value = (0..<3).map { _ in Self.fragments.randomElement(using: &generator) ?? "" }.joined()
            let name = names.randomElement(using: &generator) ?? ""
            let flags = ConfigurationFlags { flags in
                flags.host = Bool.random(using: &generator) ? value : nil
                flags.settings = Bool.random(using: &generator) ? [value, "\(value)=\(value)"] : []
            }
            for found in problems(environment: [name: value], flags: flags) {
                #expect(!found.isEmpty)
            }
        }
    }
}
