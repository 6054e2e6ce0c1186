import Glibc
import LinuxSystem
import Model
import NIOCore
import NIOPosix
import Wire

/// What a takeover asks of the running service. Confined to the event loop.
protocol TakeoverService: AnyObject {
    /// What is in the way, and passes by itself: a sentence without its end; `nil`: nothing.
    var takeoverObstacle: String? { get }

    /// Operators are refused new operations; or served again.
    func refuseOperations(_ isRefusing: Bool)

    /// Nothing is begun, read or reaped any more by other threads than the event loop's; or it goes on.
    func holdStill(_ isHeld: Bool)

    /// What still moves although it is held; `nil`: nothing, and what is handed over now is the truth until the event loop turns.
    var takeoverUnrest: String? { get }

    /// The handover as a memory file, which is the caller's, and what stays open with it.
    func makeHandover() throws(TakeoverFailure) -> (file: CInt, descriptors: Set<CInt>)

    func say(_ level: LogLevel, _ message: String, _ fields: [String: String])
}

/// Has another program take the supervisor's process over: tries it in a process of its own, waits until nothing is in the way, holds
/// everything still, tries it with what is really handed over, and executes it in place. Until then every failure leaves the service
/// as it was.
///
/// Confined to the event loop.
final class Takeover {
    /// How long operations and hooks that are being carried out may take.
    static let patience = Duration.seconds(60)
    /// How long the service may be held still.
    static let stillness = Duration.seconds(5)
    /// How long a trial may take.
    static let trialTime = Duration.seconds(15)
    static let look = TimeAmount.milliseconds(10)

    private let eventLoop: any EventLoop
    private let service: any TakeoverService
    private let program: CInt
    private let path: String
    private let told: (OperationProgress) -> Void
    /// It has failed, or was a check: the next one may begin.
    private let ended: () -> Void
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private var isHeld = false
    private var deadline = MonotonicTime.zero
    private var hasSaidWhy = false

    /// - Parameters:
    ///   - path: of the program.
    ///   - told: each step; the last one is `done`. After a takeover there is none.
    ///   - ended: once, when the service goes on as it is.
    init(
        eventLoop: any EventLoop, service: any TakeoverService, path: String,
        told: @escaping (OperationProgress) -> Void, ended: @escaping () -> Void
    ) throws(ControlFailure) {
        self.eventLoop = eventLoop
        self.service = service
        self.path = path
        self.told = told
        self.ended = ended
        program = open(path, O_RDONLY | O_CLOEXEC)
        guard program >= 0 else {
            throw .unprocessable("\(path) cannot be opened: \(SystemError(call: "open", code: errno).reason).")
        }
        guard access(path, X_OK) == 0 else {
            let reason = SystemError(call: "execute", code: errno).reason
            Descriptors.close(program)
            throw .unprocessable("\(path) cannot be executed: \(reason).")
        }
        pool.start()
    }

    deinit {
        Descriptors.close(program)
        pool.shutdownGracefully { _ in }
    }

    func begin(checkOnly: Bool) {
        step("Trying \(path): whether it can go on with what is handed over, and takes the configuration.")
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let trial: TakeoverTrial
        do {
            let started = try startTrial()
            Descriptors.close(started.file)
            trial = started.trial
        } catch {
            return fail(error)
        }
        pool.runIfActive(eventLoop: eventLoop) { trial.wait(Self.trialTime) }.whenSuccess { answer in
            let takeover = bound.value
            do throws(TakeoverFailure) {
                let verdict = try TakeoverVerdict(answer)
                takeover.tried(verdict, checkOnly: checkOnly)
            } catch {
                takeover.fail(error)
            }
        }
    }

    private func tried(_ verdict: TakeoverVerdict, checkOnly: Bool) {
        for doubt in verdict.doubts { step("Warning: \(doubt)") }
        if checkOnly { return succeed("wsd \(verdict.version) can take over: \(path).") }
        deadline = MonotonicTime.now() + Self.patience
        service.refuseOperations(true)
        step("wsd \(verdict.version) can go on.")
        lookForObstacles(verdict)
    }

    private func lookForObstacles(_ verdict: TakeoverVerdict) {
        guard let obstacle = service.takeoverObstacle else {
            step("wsd \(verdict.version) takes over now.")
            deadline = MonotonicTime.now() + Self.stillness
            hold(true)
            return later { $0.lookForUnrest(verdict) }
        }
        guard MonotonicTime.now() < deadline else {
            return fail(
                TakeoverFailure("\(obstacle), and has not ended in \(Self.patience.components.seconds) s. Try again."))
        }
        if !hasSaidWhy { step("Waiting: \(obstacle).") }
        hasSaidWhy = true
        later { $0.lookForObstacles(verdict) }
    }

    /// - Parameter turns: of the event loop that are still to pass. What other threads had on their way to it when they became quiet
    ///   arrives in the first, and what follows from that in the second.
    private func lookForUnrest(_ verdict: TakeoverVerdict, turns: Int = 2) {
        if let unrest = service.takeoverUnrest ?? service.takeoverObstacle {
            guard MonotonicTime.now() < deadline else {
                let seconds = Self.stillness.components.seconds
                return fail(TakeoverFailure("\(unrest), for \(seconds) s. Try again, or restart the service."))
            }
            return later { $0.lookForUnrest(verdict) }
        }
        guard turns == 0 else {
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            return eventLoop.execute { bound.value.lookForUnrest(verdict, turns: turns - 1) }
        }
        do throws(TakeoverFailure) {
            try replace()
        } catch {
            fail(error)
        }
    }

    /// Returns only by its failure.
    private func replace() throws(TakeoverFailure) {
        let (trial, file, descriptors) = try startTrial()
        defer { Descriptors.close(file) }
        // Nothing may happen in between, so the event loop waits, too.
        _ = try TakeoverVerdict(trial.wait(Self.trialTime))
        let error = OwnProgram.replace(
            by: program, adding: [HandoverFile.variable: "\(file)"], keeping: descriptors.union([file]))
        throw TakeoverFailure("\(path) could not be executed: \(error.reason).")
    }

    private func startTrial() throws(TakeoverFailure) -> (trial: TakeoverTrial, file: CInt, descriptors: Set<CInt>) {
        let (file, descriptors) = try service.makeHandover()
        do throws(SystemError) {
            return (try TakeoverTrial.start(program: program, handover: file), file, descriptors)
        } catch {
            Descriptors.close(file)
            throw TakeoverFailure("\(path) cannot be tried: \(error.reason).")
        }
    }

    private func hold(_ isHeld: Bool) {
        self.isHeld = isHeld
        service.holdStill(isHeld)
    }

    private func later(_ body: @escaping (Takeover) -> Void) {
        let bound = NIOLoopBound((takeover: self, body: body), eventLoop: eventLoop)
        eventLoop.scheduleTask(in: Self.look) { bound.value.body(bound.value.takeover) }
    }

    private func step(_ message: String) {
        service.say(.info, "Upgrade goes on", ["progress": message])
        told(OperationProgress(operation: "upgrade", message: message))
    }

    private func succeed(_ message: String) {
        told(OperationProgress(operation: "upgrade", message: message, done: true, succeeded: true))
        ended()
    }

    private func fail(_ failure: TakeoverFailure) {
        if isHeld { hold(false) }
        service.refuseOperations(false)
        service.say(
            .error, "No other program has taken the service over; it goes on as it was", ["error": failure.message])
        told(
            OperationProgress(
                operation: "upgrade", message: "\(failure.message) The service goes on as it was.", done: true,
                succeeded: false))
        ended()
    }
}
