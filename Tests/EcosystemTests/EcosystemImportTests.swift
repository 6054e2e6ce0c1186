import ConfigurationFile
import Model
import Testing

@testable import Ecosystem

@Suite struct EcosystemImportTests {
    /// As `pm2 init` and its documentation have it, turned into JSON.
    private static let typical = """
        {
          "apps": [{
            "name": "api", "script": "./src/server.js", "args": "--log 'two words' --x=\\"a b\\"",
            "node_args": "--max-old-space-size=512", "instances": "max", "exec_mode": "cluster",
            "env": {"NODE_ENV": "development", "PORT": 3000, "DEBUG": false, "LIST": [1]},
            "env_production": {"NODE_ENV": "production"}, "env_staging": {"NODE_ENV": "staging"},
            "max_memory_restart": "300M", "kill_timeout": 3000, "wait_ready": true, "listen_timeout": 10000,
            "exp_backoff_restart_delay": 100, "out_file": "./out.log", "merge_logs": true, "time": true
          }, {
            "name": "worker", "script": "worker.py", "cwd": "./jobs", "autorestart": false,
            "cron_restart": "0 30 4 * * *", "watch": true, "ignore_watch": ["node_modules", "./logs/", "[\\\\/\\\\\\\\]\\\\."],
            "watch_delay": 1000, "stop_exit_codes": [0, 143], "uid": "jobs", "gid": 1000
          }],
          "deploy": {"production": {"user": "node", "host": ["a"], "env": {"REGION": "eu", "NODE_ENV": "x"}}}
        }
        """

    @Test func makesEntries() throws {
        let result = try EcosystemImport(Self.typical, environment: "production")
        #expect(result.programs.map(\.name) == ["api", "worker-app"])
        #expect(
            result.programs[0].json == #"""
                {"name":"api","command":["node","--max-old-space-size=512","./src/server.js","--log","two words","--x=\"a b\""],"instances":"max","folder":"/srv/app","environment":{"REGION":"eu","PORT":"3000","DEBUG":"false","LIST":"[1]","NODE_ENV":"production"},"restartDelay":"100ms","restartMaxDelay":"15s","restartFactor":1.5,"stopSignal":"SIGINT","stopTimeout":"3s","maxMemory":"300MiB"}
                """#)
        #expect(
            result.programs[1].json == #"""
                {"name":"worker-app","command":["python3","worker.py"],"folder":"/srv/app/jobs","environment":{"PYTHONUNBUFFERED":"1","REGION":"eu","NODE_ENV":"x"},"user":"jobs","group":"1000","restart":"never","stopExitCodes":[0,143],"stopSignal":"SIGINT","watch":["/srv/app/jobs"],"watchIgnore":["node_modules","logs"],"watchDelay":"1s","cron":"30 4 * * *"}
                """#)
        #expect(result.remarks.map(\.setting) == ["deploy"])
    }

    @Test func saysWhatBecameOfEachSetting() throws {
        let result = try EcosystemImport(Self.typical, environment: "production")
        let (api, worker) = (result.programs[0], result.programs[1])
        #expect(api.verdict("kill_timeout") == .taken && api.remark("kill_timeout")?.becomes == "stopTimeout: 3s")
        #expect(api.verdict("exec_mode") == .toDo && api.remark("exec_mode")?.text.contains(":3000") == true)
        // A shared port would be ready whichever process answers.
        #expect(api.verdict("wait_ready") == .toDo)
        #expect(api.verdict("out_file") == .notNeeded)
        #expect(api.remark("env_staging")?.text.contains("--env staging") == true)
        #expect(worker.verdict("name") == .differs)
        #expect(worker.verdict("cron_restart") == .differs)
        #expect(worker.verdict("ignore_watch") == .differs)
        // Values of variables are nobody's business.
        for remark in result.programs.flatMap(\.remarks) { #expect(!"\(remark)".contains("\"eu\"")) }
    }

    /// What is sent is what the service takes.
    @Test func entriesAreEntriesOfTheConfiguration() throws {
        let everything = """
            {script: 'x y|z', name: 'é', instances: 2000, autostart: false, cwd: '/a b', uid: 5, gid: 'g', env: {A: '"\\n'},
             autorestart: false, stop_exit_codes: [1, 2], exp_backoff_restart_delay: 3600001, min_uptime: 0, max_restarts: 3e9,
             kill_timeout: 1500, wait_ready: true, port: 80, max_memory_restart: 1, watch: ['a', '../b'], ignore_watch: ['*.log'],
             watch_delay: 1e12, cron_restart: '@daily'}
            """
        let apps = try EcosystemImport(everything).programs + EcosystemImport(Self.typical).programs
        let api = try ProgramEntry.parse(json: apps[1].json, defaults: nil)
        #expect(apps.count == 3)
        #expect(
            api.command.first == "node" && api.instances == nil && api.stopSignal == 2 && api.maxMemory == 300 << 20)
        #expect(api.environment.contains("PORT=3000") && api.backoff.factor == 1.5)
        let all = try ProgramEntry.parse(json: apps[0].json, defaults: nil)
        #expect(all.command == ["bash", "-c", "x y|z"] && all.environment.contains("A=\"\n"))
        #expect(
            all.stopExitCodes == [1, 2] && all.watch == ["/a b/a", "/b"] && all.cron != nil && all.maxMemory == 1 << 20)
        #expect(throws: Never.self) { try ProgramEntry.parse(json: apps[2].json, defaults: nil) }
    }

    @Test func printsYAML() throws {
        let yaml = try EcosystemImport(#"{"name":"a","script":"x.sh","env":{"A":"1: #","on":"é"},"stop_exit_codes":3}"#)
            .yaml
        #expect(
            yaml == [
                "programs:",
                "  # PM2_KILL_SIGNAL: what PM2 sends, which the app may know; take it out for wsd's own SIGTERM",
                "  - name: a", "    command: [bash, x.sh]", "    folder: /srv/app", "    environment:",
                "      A: \"1: #\"", "      \"on\": \"é\"", "    stopExitCodes: [3]", "    stopSignal: SIGINT",
            ])
    }

    @Test func nothingOfAFileLeavesItsComment() throws {
        let text = #"{"script":"a.js","env":{"a=\nb: c":"1"},"cron_restart":"1\n- name: x"}"#
        for line in try EcosystemImport(text).yaml { #expect(!line.contains { $0.isNewline }) }
    }

    /// Every key of PM2's schema is told of: none is unknown or lost.
    @Test func knowsEveryKeyOfTheSchema() throws {
        let keys = """
            script name name_prefix filter_env namespace install_url cwd args exec_interpreter node_args out_file error_file \
            log_file disable_logs log_type log_date_format time env env_production max_memory_restart pid_file \
            restart_delay exp_backoff_restart_delay source_map_support disable_source_map_support wait_ready instances \
            kill_timeout shutdown_with_message listen_timeout cron_restart merge_logs vizion autostart autorestart \
            stop_exit_codes watch_delay watch ignore_watch watch_options min_uptime max_restarts execute_command \
            exec_mode force append_env_to_name post_update trace disable_trace v8 event_loop_inspector \
            deep_monitoring increment_var instance_var pmx automation treekill port username uid gid windowsHide \
            kill_retry_time write io
            """.split { $0 == " " || $0 == "\n" }.map(String.init)
        for key in keys where key != "script" {
            let value =
                switch key {
                case "env", "env_production", "watch_options", "io": #"{"A":"b"}"#
                case "cron_restart": #""@daily""#
                case "max_memory_restart": #""1G""#
                case "exec_mode": #""fork""#
                case "name", "cwd", "uid", "gid", "args", "node_args", "exec_interpreter": #""x""#
                default: "2"
                }
            let text = "{script: 'a.js', \(key): \(value)}"
            let program = try #require(try EcosystemImport(text).programs.first)
            #expect(!program.remarks.contains { $0.text.contains("unknown") }, "\(key)")
            let isArgument = ["args", "node_args"].contains(key)
            #expect(isArgument || program.remarks.contains { $0.setting == key }, "\(key)")
        }
        let unknown = try EcosystemImport("{script: 'a.js', nope: 1}").programs[0]
        #expect(unknown.remark("nope")?.text == "unknown to PM2 as well")
    }

    @Test(arguments: [
        ("exec", "script"), ("killTimeout", "kill_timeout"), ("interpreter", "exec_interpreter"),
        ("interpreterArgs", "node_args"), ("combine_logs", "merge_logs"), ("outFile", "out_file"), ("user", "uid"),
        ("env_Production", "env_Production"), ("windowsHide", "windows_hide"), ("other", "other"),
    ])
    func knowsOtherNames(written: String, key: String) {
        #expect(EcosystemKeys.canonical(written) == key)
    }

    @Test(arguments: [
        (#""script":"npm","args":["start"]"#, ["npm", "start"]),
        (#""script":"npm run start:prod""#, ["bash", "-c", "npm run start:prod"]),
        (#""script":"app.ts""#, ["bun", "app.ts"]),
        (#""script":"x.mjs","args":"a"# + #"  b""#, ["node", "x.mjs", "a", "b"]),
        (#""script":"./bin/tool""#, ["./bin/tool"]), (#""script":"worker""#, ["node", "worker"]),
        (#""script":"serve","cwd":"/opt/api""#, ["./serve"]),
        (#""script":"plain","cwd":"/opt/api","interpreter":"none""#, ["./plain"]),
        (
            #""script":"app.js","interpreter":"/usr/bin/deno","interpreter_args":["run"]"#,
            ["/usr/bin/deno", "run", "app.js"]
        ),
        (
            #""script":"app.js","interpreter":"node@20.1","source_map_support":true"#,
            ["node", "--enable-source-maps", "app.js"]
        ),
    ])
    func commands(app: String, words: [String]) throws {
        #expect(try EcosystemImport("{\(app)}").programs[0].value("command") == .list(words))
    }

    @Test(arguments: ["app.ts", "bun run app.ts"])
    func aProgramMayBringItsPATH(script: String) throws {
        let program = try EcosystemImport("{script: '\(script)', env: {A: 1}}").programs[0]
        let path = EntryVariable(name: "PATH", value: "/home/ada/.bun/bin:/usr/bin")
        #expect(program.value("environment") == .mapping([path, EntryVariable(name: "A", value: "1")]))
    }

    @Test(arguments: [
        ("instances: -1", "instances", "3"), ("instances: 0", "instances", "max"), ("instances: '2'", "instances", "2"),
        ("instances: 9999", "instances", "256"), ("min_uptime: '10s'", "stableAfter", "10s"),
        ("min_uptime: 1500", "stableAfter", "1500ms"), ("min_uptime: 1e30", "stableAfter", "24h"),
        ("max_restarts: 10", "maxUnstable", "10"), ("max_restarts: 0", "restart", "never"),
        ("restart_delay: 20000", "restartMaxDelay", "20s"), ("kill_timeout: 1e9", "stopTimeout", "1h"),
        ("max_memory_restart: 2048001", "maxMemory", "2048001"), ("max_memory_restart: '10K'", "maxMemory", "1MiB"),
        ("max_memory_restart: '1g'", "maxMemory", "1GiB"),
        ("autostart: false", "autostart", "false"), ("cron_restart: '*/5 * * * *'", "cron", "*/5 * * * *"),
        ("wait_ready: true, port: 3000", "ready", "tcp://127.0.0.1:3000"), ("name: 'my api!'", "name", "my-api"),
        ("name: '12'", "name", "12-app"), ("name: '€'", "name", "app"),
    ])
    func values(setting: String, key: String, value: String) throws {
        #expect(try EcosystemImport("{script: 'a.js', \(setting)}").programs[0].text(key) == value)
    }

    @Test(arguments: [
        "instances: 'many'", "kill_timeout: 'soon'", "max_memory_restart: '1X'", "cron_restart: '61 * * * *'",
        "min_uptime: 'x'", "stop_exit_codes: ['a']", "autorestart: 'perhaps'", "env: 'A=b'", "args: {}", "watch: {}",
        "treekill: false", "shutdown_with_message: true", "instance_var: 'N'", "exec_mode: 'cluster', instances: 2",
        "watch: ['src/**/*.js']", "env: {'a=b': 1}", "wait_ready: true",
    ])
    func tellsWhatIsToBeDone(setting: String) throws {
        let remarks = try EcosystemImport("{script: 'a.js', \(setting)}").programs[0].remarks
        #expect(remarks.contains { $0.verdict == .toDo })
    }

    @Test func processesWithVariablesOfTheirOwnBecomePrograms() throws {
        let text = "{name: 'api', script: 'a.js', instances: 3, increment_var: 'PORT', env: {PORT: 3000, A: 1}}"
        let programs = try EcosystemImport(text).programs
        #expect(programs.map(\.name) == ["api-1", "api-2", "api-3"])
        #expect(
            programs[2].value("environment")
                == .mapping([
                    EntryVariable(name: "A", value: "1"), EntryVariable(name: "PORT", value: "3002"),
                ]))
        #expect(programs.allSatisfy { $0.value("instances") == nil && $0.verdict("exec_mode") == nil })
    }

    @Test func listsAndSingleAppsAreFiles() throws {
        #expect(try EcosystemImport("[{script: 'a.js'}, {script: 'b/a.py'}]").programs.map(\.name) == ["a", "a-2"])
        #expect(try EcosystemImport("{pm2: {cmd: 'a.js'}, name: 'x'}").programs.map(\.name) == ["a"])
    }

    /// Records as PM2 7 writes them, shortened.
    @Test func readsADumpOfPM2() throws {
        let record = """
            {"name": "api", "namespace": "default", "pm_exec_path": "/srv/api/server.js", "pm_cwd": "/srv/api",
             "exec_interpreter": "node", "exec_mode": "cluster_mode", "node_args": [], "args": ["-v"], "watch": false,
             "autorestart": true, "treekill": true, "vizion": true, "instance_var": "NODE_APP_INSTANCE", "status": "online",
             "kill_timeout": 5000, "env": {"PORT": "3000", "SSH_TTY": "/dev/pts/0", "HOME": "/home/ada", "api": {}},
             "PORT": "3000", "SSH_TTY": "/dev/pts/0", "pm_uptime": 1, "axm_monitor": {}, "unique_id": "x"}
            """
        let stopped =
            #"{"name":"old","pm_exec_path":"/bin/bash","args":["-c","x"],"exec_interpreter":"none","status":"stopped"}"#
        let module = #"{"name":"pm2-logrotate","pm_exec_path":"/x.js","pmx_module":true}"#
        let result = try EcosystemImport(
            "[\(record),\(record),\(stopped),\(module)]", name: "/home/ada/.pm2/dump.pm2", environment: nil, host: .test
        )
        #expect(
            result.programs.map(\.json) == [
                #"{"name":"api","command":["node","/srv/api/server.js","-v"],"instances":2,"folder":"/srv/api","#
                    + #""environment":{"PORT":"3000"},"stopSignal":"SIGINT","stopTimeout":"5s"}"#,
                #"{"name":"old","command":["/bin/bash","-c","x"],"autostart":false,"folder":"/srv/app","stopSignal":"SIGINT"}"#,
            ])
        #expect(result.remarks.map(\.setting) == ["env", "modules"])
        #expect(!result.programs.flatMap(\.remarks).contains { $0.text.contains("unknown") })
    }

    @Test func readsYAML() throws {
        let text = """
            base: &base
              autorestart: false
              env: &env {A: "1", B: 2}
            apps:
              - <<: *base
                name: api
                script: a.js
                env: {<<: *env, B: yes}
            """
        let result = try EcosystemImport(text, name: "ecosystem.yml", environment: nil, host: .test)
        #expect(result.programs[0].text("restart") == "never")
        #expect(
            result.programs[0].value("environment")
                == .mapping([EntryVariable(name: "A", value: "1"), EntryVariable(name: "B", value: "yes")]))
        let bomb = (0..<30).map { "a\($0): &a\($0) [\($0 == 0 ? "1" : "*a\($0 - 1), *a\($0 - 1)")]" }.joined(
            separator: "\n")
        #expect(throws: EcosystemError.self) { try EcosystemYaml.parse(bomb) }
        let deep = (0..<12).map {
            "a\($0): &a\($0) [\($0 == 0 ? "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]" : "*a\($0 - 1), *a\($0 - 1)")]"
        }
        #expect(throws: EcosystemError.self) { try EcosystemYaml.parse(deep.joined(separator: "\n") + "\na: [*a11]") }
    }

    @Test func programsAreNotRun() {
        for (name, start) in [
            ("ecosystem.config.js", #"node -p 'JSON.stringify(require("./ecosystem.config.js"))' | wsctl import -"#),
            ("/a/e.cjs", #"node -p 'JSON.stringify(require("/a/e.cjs"))'"#),
            ("x y.mjs", #"node -e 'import("./ecosystem.config.mjs")"#),
            ("e.ts", #"npx tsx -e 'import("./e.ts")"#), ("a/e.js", #"node -p 'JSON.stringify(require("./a/e.js"))'"#),
            ("-", "node -p"),
        ] {
            let error = #expect(throws: EcosystemError.self) {
                try EcosystemImport("module.exports = {}", name: name, environment: nil, host: .test)
            }
            guard case .program(let command) = error else {
                Issue.record("\(name)")
                continue
            }
            #expect(command.hasPrefix(start))
        }
    }

    @Test(arguments: ["[]", "3", "[1]", "{apps: []}", "{}", "{apps: [{name: 'a'}]}", "{script: ''}", "{script: {}}"])
    func filesWithoutProgramsAreRefused(text: String) {
        #expect(throws: EcosystemError.self) { try EcosystemImport(text) }
    }

    @Test func anEnvironmentThatNobodyKnowsIsRefused() {
        let error = #expect(throws: EcosystemError.self) {
            try EcosystemImport("{script: 'a.js', env_production: {}}", environment: "prodution")
        }
        #expect(error?.description == "No app has env_prodution. There is: production.")
    }
}
