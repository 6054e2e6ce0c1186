internal import ConfigurationFile
import FoundationEssentials
import Glibc
import LinuxSystem
import Model

/// What a program says of whether it can take over.
struct TakeoverVerdict: Codable {
    /// What the line of the verdict begins with: other output is somebody else's.
    static let mark = "wsd-takeover "

    var version: String
    /// Sentences: why it cannot. Empty: it can.
    var problems: [String]
    /// Sentences: what an operator should know of the configuration that a reload would bring.
    var doubts: [String]

    init(problems: [String], doubts: [String] = []) {
        version = WsdVersion.current
        (self.problems, self.doubts) = (problems, doubts)
    }

    /// Reads what a trial wrote.
    ///
    /// - Throws: also where it says that it cannot.
    init(_ answer: String?) throws(TakeoverFailure) {
        guard let answer else {
            throw TakeoverFailure("The program gave no answer within \(Takeover.trialTime.components.seconds) s.")
        }
        let lines = answer.split(whereSeparator: \.isNewline)
        guard let line = lines.last(where: { $0.hasPrefix(Self.mark) }),
            let verdict = try? JSONDecoder().decode(Self.self, from: Data(line.dropFirst(Self.mark.count).utf8))
        else {
            let said = lines.last.map { " It said: \(LogText.escaped(String($0.prefix(300))))" } ?? ""
            throw TakeoverFailure("The program is no wsd that can take over.\(said)")
        }
        self = verdict
        guard problems.isEmpty else { throw TakeoverFailure(problems.joined(separator: "\n")) }
    }

    /// The role of a trial: reads what would be handed over, and the configuration.
    static func of(_ loader: ConfigurationLoader, configurationProblems: (WsdConfiguration) -> [String]) -> Self {
        let handed: Handover
        do throws(TakeoverFailure) {
            handed = try HandoverFile.read(TakeoverTrial.file).handover
        } catch {
            return Self(problems: [error.message])
        }
        guard handed.link == WsdVersion.link else {
            return Self(problems: [
                "The hub and the workers that live speak version \(handed.link) of their links, wsd \(WsdVersion.current) speaks "
                    + "\(WsdVersion.link): they cannot go on under it. Restart the service instead."
            ])
        }
        do throws(ConfigurationErrors) {
            let loaded = try loader.load()
            return Self(problems: configurationProblems(loaded.configuration), doubts: loaded.warnings)
        } catch {
            return Self(problems: ["The configuration is wrong for it:\n\(error)"])
        }
    }

    /// For standard output.
    var line: String {
        let json = (try? JSONEncoder().encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return "\n\(Self.mark)\(json)\n"
    }
}
