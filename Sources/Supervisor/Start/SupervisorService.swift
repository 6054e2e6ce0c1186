internal import ConfigurationFile
import Glibc
import LinuxSystem
import Model
import NIOCore
import NIOPosix

/// The supervisor from its sockets to its end, on the calling thread.
enum SupervisorService {
    /// How long the last answers and log lines may take to leave before the process ends.
    static let farewell = TimeAmount.milliseconds(500)

    static func run(
        loader: ConfigurationLoader, loaded: LoadedConfiguration, sockets: ServiceSockets,
        descriptorLimit: Result<DescriptorLimit, any Error>, originalLimit: Int,
        handed: RunningService.Handed? = nil
    ) -> Never {
        let startedAt = handed?.handover.startedAt ?? MonotonicTime.now()
        let startedAtTime = handed?.handover.startedAtTime ?? Clocks.wallSeconds()
        MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { eventLoop in
            do {
                let service = try RunningService(
                    eventLoop: eventLoop, loader: loader, loaded: loaded, sockets: sockets, startedAt: startedAt,
                    startedAtTime: startedAtTime, originalLimit: originalLimit, handed: handed
                ) { code in exit(code) }
                service.start(descriptorLimit: descriptorLimit)
            } catch {
                DescriptorDestination(descriptor: STDERR_FILENO).write("wsd: \(error)\n")
                sockets.close(closingControl: true)
                exit(ExitCode.osError)
            }
        }
        exit(ExitCode.failure)
    }
}
