import Model
import NIOCore
import Wire

/// Hands lines to the files of the log folder. Confined to the event loop.
final class LogFolderWriter {
    private let eventLoop: any EventLoop
    private var plan: LogFilesPlan?
    private var folder: LogFolder?
    private var writer: BackgroundWriter?
    private var hasPrograms = false
    /// There was a line for a file.
    private var isNeeded = false
    private var secondsOfSilence = 0
    private var isTold = false
    /// Called when something was written.
    var progressed: () -> Void = {}

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func configure(_ plan: LogFilesPlan?, _ limits: LogFolder.Limits) {
        let path = plan?.folder
        self.plan = plan
        guard path != folder?.path || plan == nil else {
            guard let folder, let writer else { return }
            _ = writer.run { folder.configure(limits) }
            return
        }
        (folder, writer) = (nil, nil)
        guard let path else { return }
        let folder = LogFolder(path: path, limits)
        let writer = BackgroundWriter(eventLoop: eventLoop, destination: folder)
        writer.progressed = { [weak self] in self?.progressed() }
        (self.folder, self.writer) = (folder, writer)
    }

    var isOn: Bool { writer != nil }

    /// - Parameter text: the line as it stands in a file.
    func take(_ entry: LogEntry, _ text: String) {
        guard let plan else { return }
        if entry.program != nil { hasPrograms = true }
        let isOwn = (plan.ownFromStart || hasPrograms) && entry.stream == nil
        guard entry.program != nil || isOwn else { return }
        isNeeded = true
        guard let writer else { return }
        if let program = entry.program, ProgramConfiguration.isName(program) {
            writer.write(LogFolder.frame(text, for: program))
        }
        if isOwn { writer.write(LogFolder.frame(text, for: LogFolder.own)) }
    }

    var isBehind: Bool { writer?.isBehind ?? false }
    var dropped: Int { writer?.dropped ?? 0 }
    var isIdle: Bool { writer?.isIdle ?? true }
    func takeDropped() -> Int { writer?.takeDropped() ?? 0 }
    func reopen() { writer?.reopen() }
    func flushed() -> EventLoopFuture<Void> { writer?.flushed() ?? eventLoop.makeSucceededVoidFuture() }

    /// Removes the files of these programs; `nil`: of all.
    func clear(_ programs: Set<String>?) -> EventLoopFuture<(files: Int, bytes: Int)> {
        guard let writer, let folder else { return eventLoop.makeSucceededFuture((0, 0)) }
        return writer.run { folder.clear(programs) }
    }

    // MARK: - What is wrong

    /// What is to be said now. At once, then once a minute where the files are wanted: a line more cannot be written either.
    /// Once a second.
    func trouble() -> (level: LogLevel, message: String, fields: [String: String])? {
        secondsOfSilence = max(0, secondsOfSilence - 1)
        guard let what = reason ?? folder?.obstacle else {
            (secondsOfSilence, isTold) = (0, false)
            return nil
        }
        let isWanted = plan?.isWanted ?? false
        guard secondsOfSilence == 0, isWanted || !isTold else { return nil }
        (secondsOfSilence, isTold) = (LogCenter.troubleInterval, true)
        return (
            isWanted ? .error : .warning,
            reason == nil ? "A log file cannot be rotated" : "The log files cannot be written",
            [
                "log.folder": plan?.folder ?? "none", "error": what,
                "log.failed": String(folder?.takeFailures() ?? 0),
            ]
        )
    }

    /// What an operator should know; `nil`: all is well.
    var problem: String? {
        guard plan?.isWanted == true else { return nil }
        guard let reason else {
            return folder?.obstacle.map { file in
                "A log file in \(folder?.path ?? "no folder") cannot be rotated: \(file). Put that right: it grows to "
                    + "\(RotatedFile.growth) times log.fileMaxSize, and is then emptied."
            }
        }
        return
            "The log files in \(plan?.folder ?? "no folder") cannot be written: \(reason). Put that right, or change log.folder "
            + "and reload; until then lines are kept in memory only."
    }

    private var reason: String? {
        guard plan != nil, isNeeded else { return nil }
        guard let folder else { return "nothing says where: set log.folder, STATE_DIRECTORY or HOME" }
        return folder.trouble
    }
}
