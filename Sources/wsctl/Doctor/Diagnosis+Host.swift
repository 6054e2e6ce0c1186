import ControlClient
import Wire

// Findings about the machine around the service.
extension Diagnosis {
    /// Seconds that a log line may be ahead of the clock.
    static let clockTolerance = 5.0

    /// A service that cannot be spoken to.
    static func unreachable(_ error: ControlClientError) -> Check {
        .problem(error.description)
    }

    static func descriptors(_ limits: [(name: String, limits: DescriptorLimits)]) -> [Check] {
        var checks: [Check] = []
        for (name, limits) in limits {
            guard let soft = limits.soft else { continue }
            if let used = limits.used, Double(used) >= Double(soft) * descriptorShare {
                checks.append(
                    .problem(
                        "\(name) has \(Humanized.count(used)) of \(Humanized.count(soft)) descriptors in use.",
                        "Raise the limit (LimitNOFILE= in the unit, or ulimit -Hn before wsd starts) or run more workers."
                    ))
            } else if soft < fewDescriptors {
                checks.append(
                    .note(
                        "\(name) may have only \(Humanized.count(soft)) descriptors; each client takes one.",
                        "Raise the limit: LimitNOFILE= in the unit, or ulimit -Hn before wsd starts."))
            }
        }
        guard checks.isEmpty, !limits.isEmpty else { return checks }
        let soft = limits.compactMap(\.limits.soft).min()
        let used = limits.compactMap(\.limits.used).max()
        let bound = soft.map { "up to \(Humanized.count($0))" } ?? "any number of"
        let most = used.map { "; the most in use are \(Humanized.count($0))" } ?? ""
        return [.ok("Each process may have \(bound) descriptors\(most).")]
    }

    /// The port in an address as the service writes it (`http://127.0.0.1:8080`); `nil` for a Unix socket.
    static func port(of address: String) -> UInt16? {
        guard !address.hasPrefix("unix:"), let colon = address.lastIndex(of: ":") else { return nil }
        return UInt16(address[address.index(after: colon)...].prefix { $0.isNumber })
    }

    /// Ports of a service that runs: whether the kernel has a listener on each.
    static func ports(_ addresses: [String], _ table: PortTable) -> [Check] {
        let ports = addresses.compactMap(port)
        let missing = Set(ports).filter { table.listeners(on: $0).isEmpty }.sorted()
        guard missing.isEmpty else {
            return missing.map {
                .problem(
                    "Nothing listens on port \($0) in this network namespace.",
                    "Run the doctor where wsd runs (in its container, say); otherwise restart wsd.")
            }
        }
        guard !ports.isEmpty else { return [] }
        return [.ok("Listening on \(addresses.joined(separator: ", ")).")]
    }

    /// A port that wsd would take if it were started.
    ///
    /// - Parameter isDefault: nothing but wsd's default names this port.
    static func port(_ port: UInt16, isDefault: Bool, isTaken: Bool, holders: [SocketHolder]) -> Check {
        let name = isDefault ? "Port \(port), wsd's default," : "Port \(port), which your environment names,"
        guard isTaken else { return .ok("\(name) is free.") }
        let who = holders.map { "\($0.name) (pid \($0.pid))" }.joined(separator: ", ")
        guard let first = holders.first else {
            return .problem(
                "\(name) is taken by a process of another user.",
                "Name it with `sudo ss -ltnp 'sport = :\(port)'`; end it, or start wsd with --port.")
        }
        guard !holders.contains(where: { $0.pid == 1 }) else {
            return .note(
                "\(name) is held by \(who), which keeps it for the service or for a socket unit.",
                "Look with `systemctl status wsd` and `systemctl list-sockets`.")
        }
        return .problem("\(name) is held by \(who).", "End it (kill \(first.pid)), or start wsd with --port.")
    }

    /// Whether the service can read what its configuration names.
    ///
    /// - Parameter components: of the path, as far as they exist.
    static func readable(
        _ path: String, what: String, components: [FileAccess.Component], by identity: FileAccess.Identity, user: String
    ) -> Check {
        guard components.last?.path == path else {
            let last = components.last?.path ?? "/"
            return .problem(
                "\(what) \(path) does not exist, or \(last) hides it from you.",
                "Create it, or change the configuration.")
        }
        guard let obstacle = FileAccess.obstacle(components, for: identity) else {
            return .ok("\(what) \(path) is readable for \(user).")
        }
        let mode = String(obstacle.mode, radix: 8)
        return .problem(
            "\(what) \(path) cannot be read by \(user), the user wsd runs as: \(obstacle.path) has mode \(mode).",
            "chmod a+\(obstacle.isDirectory ? "rx" : "r") \(obstacle.path), or change its owner or group.")
    }

    /// The folder of the control socket: who can write to it can put another socket in its place.
    static func runtimeDirectory(_ directory: FileAccess.Component?, expected: [UInt32]) -> Check? {
        guard let directory else { return nil }
        guard expected.contains(directory.user) else {
            return .problem(
                "\(directory.path) belongs to another user (uid \(directory.user)), who may have put it in wsd's place.",
                "Do not use it; set XDG_RUNTIME_DIR, or name another socket with --socket.")
        }
        guard directory.mode & 0o022 != 0, directory.mode & 0o1000 == 0 else { return nil }
        let mode = String(directory.mode, radix: 8)
        return .problem(
            "\(directory.path) has mode \(mode): others can replace the control socket in it.",
            "chmod go-w \(directory.path)")
    }

    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - newestLogLine: time of the service's newest log line, likewise.
    static func clock(now: Double, newestLogLine: Double?) -> Check {
        let advice = "Have it kept in step: timedatectl set-ntp true"
        // 2025-01-01, before the first release: a clock that was never set.
        guard now > 1_735_689_600 else { return .problem("The system clock is wrong: it stands before 2025.", advice) }
        guard let newest = newestLogLine, newest > now + clockTolerance else {
            return .ok("The system clock is plausible.")
        }
        let ahead = Humanized.duration(newest - now)
        return .problem("The system clock went back: the newest log line is \(ahead) ahead of it.", advice)
    }
}
