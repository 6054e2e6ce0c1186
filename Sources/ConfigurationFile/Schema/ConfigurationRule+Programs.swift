import Model

extension ConfigurationRule {
    static let programs = [
        ConfigurationRule(
            keys: ["programs"],
            documentation:
                "Within an entry of `programs`, `restartMaxDelay` is at least `restartDelay`, a time in `ready` less than "
                + "`readyTimeout`, and nothing stands twice in `environment`, `limits` or `listen`."
        ) { (configuration) -> [Breach] in
            configuration.programs.enumerated().flatMap { index, program in
                ProgramFaults.of(program).map { breach(index, program, $0.leaf, $0.message) }
            }
        },
        ConfigurationRule(
            keys: ["programs"],
            documentation:
                "`programs` holds no name twice; `dependsOn` and `restartsWith` name entries of it, and `dependsOn` leads to "
                + "no circle."
        ) { (configuration) -> [Breach] in
            twiceNamed(configuration.programs) + unknownNames(configuration.programs) + circle(configuration.programs)
        },
        ConfigurationRule(
            keys: ["programs", "listen", "workers.count"],
            documentation:
                "No two entries of `programs` listen on the same address, and none on one of `listen`, unless `workers.count` "
                + "is 0."
        ) { (configuration) -> [Breach] in sharedAddresses(configuration) },
    ]

    private static func breach(
        _ index: Int, _ program: ProgramConfiguration, _ leaf: String, _ message: String
    ) -> Breach {
        Breach(
            message: "programs[\(index)] (\(program.name)).\(message)",
            place: Place(key: "programs", entry: index, leaf: leaf))
    }

    private static func twiceNamed(_ programs: [ProgramConfiguration]) -> [Breach] {
        var firsts: [String: Int] = [:]
        return programs.enumerated().compactMap { index, program in
            guard let first = firsts[program.name] else {
                firsts[program.name] = index
                return nil
            }
            return Breach(
                message: "programs[\(index)] has the name \(program.name), as programs[\(first)] has",
                place: Place(key: "programs", entry: index, leaf: "name"))
        }
    }

    private static func unknownNames(_ programs: [ProgramConfiguration]) -> [Breach] {
        let names = Set(programs.map(\.name))
        return programs.enumerated().flatMap { index, program in
            [("dependsOn", program.dependsOn), ("restartsWith", program.restartsWith)].flatMap { leaf, others in
                others.filter { !names.contains($0) }.map { other in
                    let near = Suggestion.nearest(to: other, among: names.subtracting([program.name]).sorted())
                    let hint = near.map { "; did you mean \($0)?" } ?? ""
                    return breach(
                        index, program, leaf,
                        "\(leaf) names \(ShownText.quoted(other)), which is no entry of programs\(hint)")
                }
            }
        }
    }

    private static func circle(_ programs: [ProgramConfiguration]) -> [Breach] {
        guard let names = ProgramFaults.circle(programs),
            let index = programs.firstIndex(where: { $0.name == names.first })
        else { return [] }
        let way = names.joined(separator: " → ")
        return [
            breach(index, programs[index], "dependsOn", "dependsOn leads to a circle, which could never start: \(way)")
        ]
    }

    private static func sharedAddresses(_ configuration: WsdConfiguration) -> [Breach] {
        // Without workers wsd has no socket for clients.
        let own = configuration.workers.count == 0 ? [] : configuration.listen
        var taken = own.map { (address: $0, owner: "wsd itself (listen)") }
        var breaches: [Breach] = []
        for (index, program) in configuration.programs.enumerated() {
            for address in program.listen {
                if let other = taken.first(where: { overlap($0.address, address) }) {
                    let message = "listen holds \(address), which \(other.owner) listens on"
                    breaches.append(breach(index, program, "listen", message))
                }
            }
            taken += program.listen.map { ($0, "programs[\(index)] (\(program.name))") }
        }
        return breaches
    }

    /// Whether no two sockets could be bound to both; port 0 is always another one.
    private static func overlap(_ first: ListenAddress, _ second: ListenAddress) -> Bool {
        switch (first, second) {
        case (.tcp(_, port: 0), _), (_, .tcp(_, port: 0)): false
        case (.tcp(let host, let port), .tcp(let otherHost, let otherPort)):
            port == otherPort && (host == otherHost || host == nil || otherHost == nil)
        case (.unix, .unix): first == second
        case (.tcp, .unix), (.unix, .tcp): false
        }
    }
}
