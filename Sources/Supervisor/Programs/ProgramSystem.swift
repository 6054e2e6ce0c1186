import Model
import Supervision

/// Starts, asks and ends the processes of programs for the driver, and answers what only the operating system knows. The real
/// one is ``LinuxProgramSystem``; a test's plays the processes itself.
///
/// Confined to the event loop; every callback comes there, and never before the call has returned.
protocol ProgramSystem: AnyObject {
    /// Starts a process. Throws a sentence when that fails; nothing is left behind then.
    ///
    /// - Parameter exited: once, when the main process has ended.
    func spawn(_ start: ProgramStart, exited: @escaping (ProcessExit) -> Void) throws -> LaunchedProgramProcess

    /// Watches a process that the program before this one started in the service's process.
    func adopt(_ instance: InstanceID, exited: @escaping (ProcessExit) -> Void) throws

    /// To the main process alone. Nothing when it has ended.
    func signal(_ instance: InstanceID, _ signal: Int32)

    /// SIGKILL to the main process and everything that came from it.
    func killTree(_ instance: InstanceID)

    /// Kills what an ended process left behind.
    ///
    /// - Parameter gone: once, when nothing is left; never when something stays for good.
    func sweepTree(_ instance: InstanceID, gone: @escaping () -> Void)

    /// What all living processes with their descendants use.
    func measure(_ took: @escaping ([InstanceID: ProgramFigures]) -> Void)

    /// One question.
    ///
    /// - Parameter answered: once, by the timeout at the latest; `nil`: all is well.
    func probe(_ probe: ProgramProbe, timeout: Duration, answered: @escaping (_ failure: String?) -> Void)

    /// What is watched for a program from now on; `nil`: nothing.
    ///
    /// - Parameter seen: each thing that happens.
    func watch(_ program: String, _ configuration: ProgramConfiguration?, seen: @escaping (ProgramSighting) -> Void)

    /// What a former life of the service left open for programs that are to run stays open; the rest is closed. Once, before
    /// anything is spawned.
    func adoptSockets(for programs: [ProgramDefinition])

    /// Closes the sockets that are held for a program.
    func closeSockets(of program: String)

    /// Everything that a process is started with, by name. Throws a sentence (a file that cannot be read).
    func environment(
        of process: ProgramProcessID, _ configuration: ProgramConfiguration
    ) throws(ProgramSystemError) -> [String: String]

    /// Programs that were started at run time by a former life of the service, and what is to be said about reading them.
    func recall() -> (programs: [ProgramDefinition], warnings: [String])

    /// Keeps the run-time ones of these for the next life, some time soon.
    ///
    /// - Parameter failed: a sentence, when that is not possible.
    func remember(_ programs: [ProgramDefinition], failed: @escaping (String) -> Void)

    /// Why they are not kept: a sentence; `nil`: they are.
    var memoryTrouble: String? { get }

    /// What processes say of themselves (sd_notify(3)), from now on.
    func listen(_ said: @escaping (InstanceID, ProgramWord) -> Void)

    /// Why a process ended as it did, where the machine is the likely cause and not the program.
    func cause(of exit: ProcessExit) -> String?

    /// Nothing lives any more, and nothing will be started.
    func stop()
}

/// A process that is to be started.
struct ProgramStart {
    var instance: InstanceID
    var process: ProgramProcessID
    var configuration: ProgramConfiguration
}

/// A process on its way into its program. The descriptors belong to whoever receives this.
struct LaunchedProgramProcess {
    var pid: Int32
    /// Reading ends of its standard output and standard error.
    var out: CInt
    var err: CInt
    /// Ends without a byte when the program runs, or with a sentence that says why it cannot.
    var status: CInt
}

/// Of a process with its descendants.
struct ProgramFigures: Sendable, Equatable {
    /// User and system time, seconds.
    var cpuSeconds: Double
    /// Bytes.
    var resident: Int
    /// Processes.
    var count: Int
}

/// What a watched program is restarted for.
enum ProgramSighting: Sendable, Equatable {
    case changed(path: String)
    case cronDue
    /// It cannot be watched: a sentence.
    case blind(String)
}

/// What a process says of itself.
enum ProgramWord: Codable, Sendable, Equatable {
    case ready
    case status(String)
}

struct ProgramSystemError: Error, CustomStringConvertible, Equatable {
    var description: String
}
