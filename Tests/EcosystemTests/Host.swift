@testable import Ecosystem

extension EcosystemHost {
    /// Four cores; `bin/tool` and `/opt/api/serve` can be executed, `worker` and `/opt/api/plain` are text.
    static let test = EcosystemHost(
        folder: "/srv/app", cores: 4,
        script: { path in
            switch path {
            case "/srv/app/bin/tool", "/opt/api/serve": .executable
            case "/srv/app/worker", "/opt/api/plain": .plain
            default: .missing
            }
        },
        path: { $0 == "bun" ? "/home/ada/.bun/bin:/usr/bin" : nil })
}

extension EcosystemImport {
    /// A file of JSON, with the test's host.
    init(_ text: String, environment: String? = nil) throws {
        try self.init(text, name: "ecosystem.config.json", environment: environment, host: .test)
    }
}

extension ImportedProgram {
    func value(_ key: String) -> EntryField.Value? { entry.first { $0.key == key }?.value }

    func text(_ key: String) -> String? {
        switch value(key) {
        case .text(let text), .bare(let text): text
        case .list, .numbers, .mapping, nil: nil
        }
    }

    func remark(_ setting: String) -> ImportRemark? { remarks.first { $0.setting == setting } }

    func verdict(_ setting: String) -> ImportRemark.Verdict? { remark(setting)?.verdict }
}
