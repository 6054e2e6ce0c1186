internal import ConfigurationFile
import Model
import NIOCore
import Supervision
import Wire

// What the supervisor tells besides what its machines tell.

extension FleetDriver {
    func take(_ event: FleetEvent) {
        log.takeOwn(event.severity, event.message, event.fields, about: event.slot)
        events.take(event)
    }

    /// Before anything happens.
    func tellBeginning() {
        followPrograms()
        events.hooks?.configure(configuration.configuration.onEvent)
        events.take(
            .service(.starting), .info, "Service starts", ["version": WsdVersion.current, "process.pid": String(pid)])
        tellConfiguration()
    }

    func followPrograms() {
        let bound = NIOLoopBound(events, eventLoop: eventLoop)
        programs.told = { bound.value.take($0) }
    }

    /// The configuration is the running one from now on.
    func tellConfiguration() {
        events.hooks?.configure(configuration.configuration.onEvent)
        var fields: [String: String] = [:]
        fields["configuration.file"] = configuration.file
        events.take(.configuration(.loaded), .info, "Configuration loaded", fields)
    }

    /// `true` when there may be new events; `false` when the service ends.
    func nextEvent() -> EventLoopFuture<Bool> {
        guard !isEnding else { return eventLoop.makeSucceededFuture(false) }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        return events.next().map { !bound.value.isEnding }
    }
}
