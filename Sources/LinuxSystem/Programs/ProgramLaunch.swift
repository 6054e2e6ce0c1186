import Glibc
package import Model

/// How one process of a program is to be started: all that the role `exec` needs.
package struct ProgramLaunch: Equatable, Sendable {
    /// Program and arguments; the program is looked for in the `PATH` of ``environment`` unless it holds a slash.
    package var command: [String]
    /// Complete, `NAME=value`. What the role adds by itself: `WSD_INSTANCE`, `LISTEN_*`, `NOTIFY_SOCKET`, and with ``user`` its
    /// `HOME`, `USER`, `LOGNAME` and `SHELL`.
    package var environment: [String]
    /// Names in ``environment`` that the role leaves alone: those that the program's own configuration sets.
    package var ownNames: [String]
    /// Working directory; entered as the program's user.
    package var folder: String
    /// Name or number; `nil`: this process's.
    package var user: String?
    /// Name or number; `nil`: the user's own.
    package var group: String?
    package var umask: Int?
    package var nice: Int?
    package var limits: [ProgramLimit]
    /// Soft limit on descriptors where ``limits`` names none; the hard one stays.
    package var softDescriptorLimit: Int
    /// Sent to the process when the thread that spawned it ends (PR_SET_PDEATHSIG of prctl(2)); 0: none.
    package var deathSignal: Int32
    /// Folder of the control group to join. Where that fails, the process runs without it.
    package var controlGroup: String?
    /// Becomes descriptor 1; 2.
    package var out: Int32
    package var err: Int32
    /// Become 3 and following (sd_listen_fds(3)). Whether they block is what they say themselves: it is set once, where they are
    /// bound, since all processes share it.
    package var listeners: [Int32]
    package var listenerNames: [String]
    package var notifySocket: String?
    /// Value of `WSD_INSTANCE`, by which what came from the process is known again; see ``ProgramTags``.
    package var tag: String

    package init(
        command: [String], environment: [String], ownNames: [String] = [], folder: String, user: String? = nil,
        group: String? = nil, umask: Int? = nil, nice: Int? = nil, limits: [ProgramLimit] = [],
        softDescriptorLimit: Int, deathSignal: Int32, controlGroup: String? = nil, out: Int32, err: Int32,
        listeners: [Int32] = [], listenerNames: [String] = [], notifySocket: String? = nil, tag: String
    ) {
        self.command = command
        self.environment = environment
        self.ownNames = ownNames
        self.folder = folder
        self.user = user
        self.group = group
        self.umask = umask
        self.nice = nice
        self.limits = limits
        self.softDescriptorLimit = softDescriptorLimit
        self.deathSignal = deathSignal
        self.controlGroup = controlGroup
        self.out = out
        self.err = err
        self.listeners = listeners
        self.listenerNames = listenerNames
        self.notifySocket = notifySocket
        self.tag = tag
    }
}

/// Makes the tags of one supervisor: a random word, the instance's number and another random word. Neither a stranger can guess one,
/// nor a program, which knows its own, that of another.
package struct ProgramTags: Codable, Sendable {
    /// Name of the variable that carries it.
    package static let variable = "WSD_INSTANCE"

    /// Also part of the names of control groups.
    package let token: String

    package init() {
        token = String(UInt64.random(in: .min ... .max), radix: 36)
    }

    /// Another one at each call.
    package func tag(of instance: InstanceID) -> String {
        "\(token)-\(instance.rawValue)-\(String(UInt64.random(in: .min ... .max), radix: 36))"
    }
}

/// The form in which a launch travels to the role: fields that each end with a NUL, which none of them can hold; a list after the
/// number of its fields.
struct LaunchText {
    /// Bytes of a whole launch: more than execve(2) takes.
    static let maxBytes = 8 * 1024 * 1024

    private(set) var bytes: [UInt8] = []

    /// `nil`: a field holds a NUL.
    static func encode(_ launch: ProgramLaunch, parent: Int32) -> [UInt8]? {
        var text = LaunchText()
        text.add(String(parent))
        text.add(launch.command)
        text.add(launch.environment)
        text.add(launch.ownNames)
        text.add(launch.folder)
        text.add(launch.user)
        text.add(launch.group)
        text.add(launch.umask.map(String.init))
        text.add(launch.nice.map(String.init))
        text.add(
            launch.limits.flatMap { limit in
                [limit.resource, limit.soft.map(String.init) ?? "", limit.hard.map(String.init) ?? ""]
            })
        text.add(String(launch.softDescriptorLimit))
        text.add(String(launch.deathSignal))
        text.add(launch.controlGroup)
        text.add(String(launch.listeners.count))
        text.add(launch.listenerNames)
        text.add(launch.notifySocket)
        text.add(launch.tag)
        return text.isSound ? text.bytes : nil
    }

    private var isSound = true

    private mutating func add(_ field: String) {
        if field.utf8.contains(0) { isSound = false }
        bytes += field.utf8
        bytes.append(0)
    }

    private mutating func add(_ field: String?) { add(field.map { [$0] } ?? []) }

    private mutating func add(_ list: [String]) {
        add(String(list.count))
        for field in list { add(field) }
    }
}

/// What the role gets: descriptors are where ``ProgramSpawner`` put them.
struct LaunchOrder: Equatable {
    /// With no descriptors in it.
    var launch: ProgramLaunch
    /// How many sockets there are.
    var listeners: Int
    /// Pid of who started it.
    var parent: Int32
}

/// Reads what ``LaunchText`` wrote.
struct LaunchReader {
    /// Most sockets of a launch.
    static let maxListeners = 1024

    private var rest: ArraySlice<UInt8>

    static func decode(_ bytes: [UInt8]) -> LaunchOrder? {
        var reader = LaunchReader(rest: bytes[...])
        return reader.order()
    }

    private mutating func order() -> LaunchOrder? {
        guard let parent = number(), let command = list(), let environment = list(), let ownNames = list(),
            let folder = field(), let user = list(), let group = list(), let umask = list(), let nice = list(),
            let limits = list(), limits.count.isMultiple(of: 3), let soft = number(), let signal = number(),
            let controlGroup = list(), let listeners = number(), (0...Self.maxListeners).contains(listeners),
            let names = list(), let notify = list(), let tag = field(), rest.isEmpty
        else { return nil }
        let launch = ProgramLaunch(
            command: command, environment: environment, ownNames: ownNames, folder: folder, user: user.first,
            group: group.first, umask: umask.first.flatMap { Int($0) }, nice: nice.first.flatMap { Int($0) },
            limits: stride(from: 0, to: limits.count, by: 3).map {
                ProgramLimit(resource: limits[$0], soft: UInt64(limits[$0 + 1]), hard: UInt64(limits[$0 + 2]))
            },
            softDescriptorLimit: soft, deathSignal: Int32(clamping: signal), controlGroup: controlGroup.first,
            out: STDOUT_FILENO, err: STDERR_FILENO, listenerNames: names, notifySocket: notify.first, tag: tag)
        return LaunchOrder(launch: launch, listeners: listeners, parent: Int32(clamping: parent))
    }

    private mutating func field() -> String? {
        guard let end = rest.firstIndex(of: 0) else { return nil }
        defer { rest = rest[(end + 1)...] }
        return String(decoding: rest[..<end], as: UTF8.self)
    }

    private mutating func number() -> Int? { field().flatMap { Int($0) } }

    private mutating func list() -> [String]? {
        guard let count = number(), count >= 0, count <= rest.count else { return nil }
        var fields: [String] = []
        for _ in 0..<count {
            guard let next = field() else { return nil }
            fields.append(next)
        }
        return fields
    }
}
