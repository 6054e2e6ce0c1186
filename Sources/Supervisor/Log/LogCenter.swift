import Glibc
import LinuxSystem
import Model
import NIOCore
import Supervision
import Wire

/// Takes the log lines of all processes, keeps them, writes them on and hands them to whoever follows. Confined to the
/// event loop.
final class LogCenter {
    /// How lines leave the supervisor besides its own memory.
    enum Format {
        case text(coloured: Bool)
        case json

        /// It is not what a file gets.
        var isColoured: Bool {
            if case .text(coloured: true) = self { true } else { false }
        }

        func render(_ entry: LogEntry) -> String {
            switch self {
            case .text(let coloured): LogText.text(entry, coloured: coloured)
            case .json: LogText.json(entry)
            }
        }
    }

    /// Followers are woken this long after a line came, so that a flood wakes them seldom.
    static let wakeDelay = TimeAmount.milliseconds(20)
    /// A time that a child claims is believed when it is no further than this from the supervisor's, seconds.
    static let believedSkew = 600.0

    /// Seconds between two reports of a log file that cannot be written.
    static let troubleInterval = 60

    let eventLoop: any EventLoop
    private(set) var store: LogStore
    private let format: Format
    private let console: BackgroundWriter?
    /// What the console is, where it is the journal.
    private let journal: JournalDestination?
    private var file: BackgroundWriter?
    private var fileDestination: RotatedFile?
    let folder: LogFolderWriter
    /// When programs are read.
    let flow: LogFlow
    /// Level and files are those of this configuration.
    private var settings: LogConfiguration
    private let service: LogService?
    private(set) var droppedBySource: [String: Int] = [:]
    private var wakeScheduled = false
    private var waiting: [EventLoopPromise<Void>] = []
    private var secondsOfSilence = 0
    private var lostReported = 0
    private let pid = getpid()

    /// - Parameters:
    ///   - console: descriptor that lines are written to, as a rule 2; `nil`: none.
    ///   - journal: takes the lines instead.
    ///   - service: decides on the files in `log.folder`; `nil`: there are none.
    init(
        eventLoop: any EventLoop, configuration: LogConfiguration, format: Format, console: Int32?,
        journal: JournalDestination? = nil, service: LogService? = nil
    ) {
        self.eventLoop = eventLoop
        self.format = format
        store = LogStore(perSource: configuration.memoryPerChild, total: configuration.memoryTotal)
        self.journal = journal
        let destination: (any LogDestination)? = journal ?? console.map { DescriptorDestination(descriptor: $0) }
        self.console = destination.map { BackgroundWriter(eventLoop: eventLoop, destination: $0) }
        settings = configuration
        self.service = service
        folder = LogFolderWriter(eventLoop: eventLoop)
        flow = LogFlow(eventLoop: eventLoop, clock: MonotonicTime.now)
        flow.isBehind = { [weak self] in self?.isBehind ?? false }
        self.console?.progressed = { [flow] in flow.progressed() }
        folder.progressed = { [flow] in flow.progressed() }
        openFile()
        configureFolder()
    }

    /// Applies a reload: level, bounds and files. What standard error looks like stays.
    func configure(_ configuration: LogConfiguration) {
        store.resize(perSource: configuration.memoryPerChild, total: configuration.memoryTotal)
        let old = settings
        settings = configuration
        if old.file != configuration.file || LogRotation(old) != LogRotation(configuration) { openFile() }
        configureFolder()
    }

    /// Goes on where the log of the program before this one ended.
    func resume(_ entries: [LogEntry], after sequence: Int, dropped: [String: Int]) {
        store.resume(entries, after: sequence)
        droppedBySource = dropped
    }

    /// Everything taken so far has left this process.
    var isWritten: Bool { console?.isIdle ?? true && file?.isIdle ?? true && folder.isIdle }

    func reopenFiles() {
        file?.reopen()
        folder.reopen()
    }

    /// Lines wait to be written that no more should join for now.
    private var isBehind: Bool { console?.isBehind ?? false || file?.isBehind ?? false || folder.isBehind }

    // MARK: - Lines

    func take(_ line: ParsedLogLine, from source: LogSource) {
        let now = Clocks.wallSeconds()
        let time = line.time.flatMap { abs($0 - now) <= Self.believedSkew ? $0 : nil } ?? now
        append(time: time, source, level: line.level, message: line.message, fields: line.fields)
    }

    /// A line of the supervisor itself; left out below the configured level.
    ///
    /// - Parameters:
    ///   - slot: whom it is about: a reader of that worker's lines finds it among them.
    ///   - program: the same for a program.
    func takeOwn(
        _ level: LogLevel, _ message: String, _ fields: [String: String], about slot: SlotID? = nil,
        program: String? = nil
    ) {
        guard level >= settings.level else { return }
        let source = LogSource(
            name: LogSource.supervisorName, worker: slot?.role == .worker ? slot?.number : nil, program: program,
            pid: pid)
        append(time: Clocks.wallSeconds(), source, level: level, message: message, fields: fields)
    }

    /// Lines of a child that were read, but not kept.
    func dropped(_ count: Int, from source: LogSource) {
        guard count > 0 else { return }
        droppedBySource[source.name, default: 0] += count
        append(
            time: Clocks.wallSeconds(), source, level: .warning,
            message: "Log lines were dropped: the process writes faster than they can be kept",
            fields: ["log.dropped": String(count)])
    }

    /// Writes text as it is to standard error, between the lines. Not for the journal.
    func print(_ text: String) {
        if journal == nil { console?.write(text) }
    }

    func dropped(from source: String) -> Int { droppedBySource[source] ?? 0 }

    /// Lines not kept, or not written to standard error or the file.
    var droppedInAll: Int {
        droppedBySource.values.reduce(0, +) + (console?.dropped ?? 0) + (journal?.lost ?? 0) + (file?.dropped ?? 0)
            + folder.dropped
    }

    /// Says what could not be written. Once a second.
    func reportTrouble() {
        if let count = console?.takeDropped(), count > 0 {
            takeOwn(
                .warning, "Log lines were not written to standard error: it is not read", ["log.dropped": String(count)]
            )
        }
        if let count = file?.takeDropped(), count > 0 {
            takeOwn(
                .warning, "Log lines were not written to the log file: the disk is too slow",
                ["log.dropped": String(count)])
        }
        let missing = folder.takeDropped()
        if missing > 0 {
            takeOwn(
                .warning, "Log lines were not written to the log files: the disk is too slow",
                ["log.dropped": String(missing)])
        }
        reportJournalTrouble()
        reportFileTrouble()
        if let trouble = folder.trouble() { takeOwn(trouble.level, trouble.message, trouble.fields) }
    }

    private func reportJournalTrouble() {
        guard let journal else { return }
        let (diverted, lost) = (journal.takeDiverted(), journal.lost - lostReported)
        guard diverted > 0 || lost > 0 else { return }
        lostReported += lost
        takeOwn(
            .warning,
            "The journal took no records for a while: lines went to standard error without fields, or were lost",
            ["log.diverted": String(diverted), "log.dropped": String(lost)])
    }

    /// At once, then once a minute: the line itself is one more that cannot be written.
    private func reportFileTrouble() {
        secondsOfSilence = max(0, secondsOfSilence - 1)
        guard let trouble = fileDestination?.trouble ?? fileDestination?.obstacle else { return secondsOfSilence = 0 }
        guard secondsOfSilence == 0 else { return }
        secondsOfSilence = Self.troubleInterval
        takeOwn(
            .error, "The log file cannot be \(fileDestination?.trouble == nil ? "rotated" : "written")",
            [
                "log.file": settings.file ?? "", "error": trouble,
                "log.failed": String(fileDestination?.takeFailures() ?? 0),
            ])
    }

    /// What an operator should know of the log itself; `nil`: all is well.
    var problem: String? {
        guard let file = settings.file, let fileDestination else { return folder.problem }
        guard let trouble = fileDestination.trouble else {
            guard let obstacle = fileDestination.obstacle else { return folder.problem }
            return "The log file \(file) cannot be rotated: \(obstacle). It grows to \(RotatedFile.growth) times "
                + "log.fileMaxSize, and is then emptied. Let wsd rename it (its folder must be writable, and it no mount "
                + "of its own), set log.fileKeep to 0 or change log.file, and reload."
        }
        return "The log file \(file) cannot be written: \(trouble). Put that right, or change log.file and reload; "
            + "until then lines are kept in memory only."
    }

    // MARK: - Followers

    /// Done when there may be new lines.
    func nextLine() -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        waiting.append(promise)
        return promise.futureResult
    }

    var hasFollowers: Bool { !waiting.isEmpty }

    func read(
        _ cursor: inout LogStore.Cursor, _ filter: LogFilter, limit: Int
    ) -> (entries: [LogEntry], skipped: Int, more: Bool) {
        store.read(&cursor, filter, limit: limit)
    }

    /// Done when everything taken so far has left this process.
    func flushed() -> EventLoopFuture<Void> {
        wake()
        return EventLoopFuture.andAllComplete(
            [console, file].compactMap { $0?.flushed() } + [folder.flushed()], on: eventLoop)
    }

    private func append(
        time: Double, _ source: LogSource, level: LogLevel, message: String, fields: [String: String]
    ) {
        let entry = store.append(
            time: time, source: source.name, worker: source.worker, program: source.program, stream: source.stream,
            pid: source.pid, level: level, message: message, fields: fields)
        write(entry)
        guard !waiting.isEmpty, !wakeScheduled else { return }
        wakeScheduled = true
        eventLoop.assumeIsolated().scheduleTask(in: Self.wakeDelay) { [weak self] in self?.wake() }
    }

    private func write(_ entry: LogEntry) {
        var shown: String?
        if journal != nil {
            console?.write(JournalDestination.frame(JournalRecord.encode(entry)))
        } else if let console {
            let line = format.render(entry)
            console.write(line)
            if !format.isColoured { shown = line }
        }
        guard file != nil || folder.isOn else { return }
        let text = shown ?? fileText(entry)
        file?.write(text)
        folder.take(entry, text)
    }

    private func fileText(_ entry: LogEntry) -> String {
        if case .json = format { LogText.json(entry) } else { LogText.text(entry, coloured: false) }
    }

    // MARK: - Letting go

    /// Forgets the lines of these programs, in memory and in files; `nil`: of all, those that are gone, too.
    func clear(_ programs: Set<String>?) -> EventLoopFuture<LogsFlushed> {
        let kept = store.clear { source in
            guard let colon = source.lastIndex(of: ":") else { return false }
            return programs?.contains(String(source[..<colon])) ?? true
        }
        return folder.clear(programs).map {
            LogsFlushed(
                programs: programs?.sorted(), lines: kept.lines, memory: kept.bytes, files: $0.files, bytes: $0.bytes)
        }
    }

    /// Lets followers look for new lines, or find that the service ends.
    func wake() {
        wakeScheduled = false
        let waiting = waiting
        self.waiting = []
        waiting.forEach { $0.succeed() }
    }

    private func openFile() {
        guard let path = settings.file else {
            file = nil
            fileDestination = nil
            return
        }
        let destination = RotatedFile(path: path, LogRotation(settings))
        fileDestination = destination
        let writer = BackgroundWriter(eventLoop: eventLoop, destination: destination)
        writer.progressed = { [flow] in flow.progressed() }
        file = writer
    }

    private func configureFolder() {
        folder.configure(service.flatMap { LogFilesPlan(settings, service: $0) }, LogFolder.Limits(settings))
    }
}

/// Whose lines they are.
struct LogSource: Sendable, Equatable {
    static let supervisorName = "supervisor"

    var name: String
    var worker: Int?
    var program: String?
    var stream: LogStream?
    var pid: Int32

    init(name: String, worker: Int? = nil, program: String? = nil, stream: LogStream? = nil, pid: Int32) {
        self.name = name
        self.worker = worker
        self.program = program
        self.stream = stream
        self.pid = pid
    }

    init(process: ProgramProcessID, stream: LogStream, pid: Int32) {
        self.init(name: process.description, program: process.program, stream: stream, pid: pid)
    }

    init(slot: SlotID, pid: Int32) {
        name = slot.description
        worker = slot.role == .worker ? slot.number : nil
        self.pid = pid
    }
}
