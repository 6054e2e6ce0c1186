import Model
import NIOCore
import Supervision

/// What the driver holds of one process of a program, from its spawn until its end was reported. Confined to the event loop.
final class ProgramProcess {
    /// How long after the end of a process its last words are waited for: a descendant may hold its outputs open for ever.
    static let lastWords = TimeAmount.milliseconds(50)
    /// How long it may take from the spawn until the program itself runs. A folder on a disk that does not answer takes for ever.
    static let launchTimeout = TimeAmount.seconds(10)
    enum Launch: Equatable {
        case pending
        case executed
        /// Why; it has to end yet.
        case failed(String)
    }

    let instance: InstanceID
    let process: ProgramProcessID
    let pid: Int32
    var launch = Launch.pending
    var launchDeadline: Scheduled<Void>?
    var pumps: [LogPump] = []
    /// Of standard output and standard error.
    var openOutputs = 2
    /// What a line is to contain for it to be ready; `nil`: nothing, or it came.
    var readyText: [UInt8]?
    /// Said before it was known that the program runs.
    var earlyWords: [ProgramWord] = []
    var lastLines = LastLines()
    var exit: ProcessExit?
    var figures: ProgramFigures?
    var cpu = RateMeter()

    init(instance: InstanceID, process: ProgramProcessID, pid: Int32, configuration: ProgramConfiguration) {
        self.instance = instance
        self.process = process
        self.pid = pid
        if case .log(let text) = configuration.ready { readyText = Array(text.utf8) }
    }

    func measured(_ figures: ProgramFigures, now: MonotonicTime) {
        self.figures = figures
        cpu.add(figures.cpuSeconds, at: now)
    }

    /// Whether a line makes it ready. `true` once.
    func isReady(by line: UnsafeRawBufferPointer) -> Bool {
        guard let text = readyText, Self.contains(text, in: line) else { return false }
        readyText = nil
        return true
    }

    private static func contains(_ needle: [UInt8], in line: UnsafeRawBufferPointer) -> Bool {
        guard let first = needle.first else { return true }
        guard line.count >= needle.count else { return false }
        for start in 0...(line.count - needle.count)
        where line[start] == first && line[start..<(start + needle.count)].elementsEqual(needle) {
            return true
        }
        return false
    }
}

/// Reads the status of a launch: nothing when the program runs, otherwise a sentence.
final class LaunchStatusReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// Bytes of a sentence; what is beyond is left out.
    static let maxSentence = 2048

    private let settled: (_ failure: String?) -> Void
    private var text: [UInt8] = []

    /// - Parameter settled: once.
    init(settled: @escaping (_ failure: String?) -> Void) {
        self.settled = settled
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        text += unwrapInboundIn(data).readableBytesView.prefix(max(0, Self.maxSentence - text.count))
    }

    func channelInactive(context: ChannelHandlerContext) {
        let line = text.prefix { $0 != UInt8(ascii: "\n") }
        settled(line.isEmpty ? nil : String(decoding: line, as: UTF8.self))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
