import Authentication
import ChildRuntime
import Glibc
import LinuxSystem
import Logging
import Model
import NIOCore
import NIOPosix
import Webhooks

/// The role `wsd worker`: serves clients on the inherited listening sockets until its supervisor tells it to stop, or
/// is gone.
package enum WorkerMain {
    /// What would keep a worker with this configuration from starting, in the sentences that it would end with.
    package static func problems(_ configuration: WsdConfiguration) -> [String] {
        var problems: [String] = []
        do throws(AuthenticationError) {
            if configuration.auth.isConfigured { _ = try TokenVerifier(configuration: configuration.auth) }
        } catch {
            problems.append(error.description)
        }
        if case .failure(let error) = tls(configuration) { problems.append(error.description) }
        do throws(WebhookError) {
            try WebhookCaller.check(configuration.webhooks)
        } catch {
            problems.append(error.description)
        }
        return problems
    }

    /// What a worker with this configuration would warn of at its start.
    package static func doubts(_ configuration: WsdConfiguration) -> [String] {
        guard case .success(let pair?) = tls(configuration), let path = configuration.tls.certificate else { return [] }
        let now = Int(Clocks.wallSeconds())
        let warning = TLSExpiry.warning(notBefore: pair.notBefore, notAfter: pair.notAfter, now: now)
        return warning.map { ["\($0): \(path) (tls.certificate)"] } ?? []
    }

    private static func tls(_ configuration: WsdConfiguration) -> Result<TLSPair?, TLSPairError> {
        do throws(TLSPairError) {
            return .success(configuration.tls.isOn ? try TLSPair.load(configuration.tls) : nil)
        } catch {
            return .failure(error)
        }
    }

    /// Runs the worker on the calling thread, whose event loop all of it is confined to.
    package static func run() -> Never {
        let log = ChildProcess.bootstrapLogging()
        MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { eventLoop in
            ChildProcess.start(on: eventLoop, log: log).assumeIsolated().whenComplete { result in
                switch result {
                case .success(let process):
                    WorkerService.start(process)
                case .failure(let error):
                    Logger(label: "wsd.worker").critical("Cannot start", metadata: ["error": "\(error)"])
                    exit(ExitCode.failure)
                }
            }
        }
        exit(ExitCode.failure)
    }
}
