import ChildRuntime
import Glibc
import Logging
import Model
import NIOCore
import NIOPosix

/// The role `hub`: one process that orders every room's messages for all workers of this machine.
package enum HubMain {
    /// What would keep a hub with this configuration from starting, in the sentences that it would end with.
    package static func problems(_ configuration: WsdConfiguration) -> [String] {
        do throws(HistoryStartError) {
            try HubHistory.check(configuration, environment: HubRole.environment, uid: geteuid())
            return []
        } catch {
            return [error.reason]
        }
    }

    /// Runs the role on the calling thread until the supervisor ends it, or is gone and the last worker with it.
    package static func run() -> Never {
        let log = ChildProcess.bootstrapLogging()
        MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { loop in
            ChildProcess.start(on: loop, log: log).assumeIsolated().whenComplete { result in
                switch result {
                case .success(let process):
                    do throws(HistoryStartError) {
                        try HubRole(process: process).begin()
                    } catch {
                        // Tried again after a while: a disk may come back, another service may end.
                        process.fail(error.reason, exitCode: ExitCode.osError)
                    }
                case .failure(let error):
                    Logger(label: "wsd.hub").critical("The hub cannot start", metadata: ["error": "\(error)"])
                    log.flush(waitingUpTo: .milliseconds(200))
                    exitProcess(ExitCode.failure)
                }
            }
        }
        exitProcess(ExitCode.success)
    }
}
