import Model
import NIOCore
import Supervision

/// What the driver holds of one process of a program, from its spawn until its end was reported. Confined to the event loop.
final class ProgramProcess {
    /// How long after the end of a process its last words are waited for: a descendant may hold its outputs open for ever.
    static let lastWords = TimeAmount.milliseconds(50)
    /// That time passes in so many parts. A supervisor that was kept from running finds one over before it has read anything; it
    /// reads before the next.
    static let lastWordsParts = 5
    /// How long it may take from the spawn until the program itself runs. A folder on a disk that does not answer takes for ever.
    static let launchTimeout = TimeAmount.seconds(10)
    enum Launch: Codable, Equatable {
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
    /// The pipe of the launch, until that is settled.
    var status: (any Channel)?
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

    convenience init(
        instance: InstanceID, process: ProgramProcessID, pid: Int32, configuration: ProgramConfiguration
    ) {
        let text: [UInt8]? = if case .log(let text) = configuration.ready { Array(text.utf8) } else { nil }
        self.init(instance: instance, process: process, pid: pid, readyText: text)
    }

    init(instance: InstanceID, process: ProgramProcessID, pid: Int32, readyText: [UInt8]?) {
        self.instance = instance
        self.process = process
        self.pid = pid
        self.readyText = readyText
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
    private(set) var text: [UInt8]

    /// - Parameters:
    ///   - text: what has been read before.
    ///   - settled: once.
    init(text: [UInt8] = [], settled: @escaping (_ failure: String?) -> Void) {
        self.text = text
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
