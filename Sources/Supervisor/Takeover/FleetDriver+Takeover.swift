internal import ConfigurationFile
import FoundationEssentials
import LinuxSystem
import Model
import NIOCore
import Supervision
import Wire

extension FleetDriver {
    /// What is in the way of a takeover, and passes by itself: a sentence; `nil`: nothing.
    ///
    /// Operations that nobody waits for (a reload by SIGHUP, a worker that is replaced for its memory) go on in the next program.
    var takeoverObstacle: String? {
        if !operations.isEmpty, let operation = machine.snapshot(now: now()).operation {
            return "\(operation) is running"
        }
        return programs.takeoverObstacle
    }

    /// Nothing new is begun for an operator who could not be told its end.
    func checkIsOurs() throws(ControlFailure) {
        guard isGivenAway else { return }
        throw .unavailable("Another program is taking the service over. Try again in a moment.")
    }

    /// What still moves once everything is held; `nil`: nothing.
    var takeoverUnrest: String? {
        guard let busy = children.values.first(where: { $0.unsent > 0 && !$0.linkEnded }) else { return nil }
        return "\(busy.slot) does not read what it is told"
    }

    /// What other programs than this one cannot go on with ends.
    func prepareTakeover() {
        endTraces()
        queries.closeAll()
    }

    var handed: HandedFleet {
        HandedFleet(
            machine: machine, configuration: configuration, configurations: configurations, lastRevision: lastRevision,
            children: children.values.sorted { $0.instance < $1.instance }.map(handed), endedWorkers: endedWorkers,
            endedHubs: endedHubs, lastQuery: queries.lastID, lastTrace: lastTrace,
            traceEventsDropped: traceEventsDropped, brokenLinks: brokenLinks)
    }

    private func handed(_ child: Child) -> HandedFleet.Child {
        let handler = try? child.link?.pipeline.syncOperations.handler(type: ChildLinkHandler.self)
        return HandedFleet.Child(
            instance: child.instance, slot: child.slot, pid: child.pid, link: child.link?.descriptor,
            unread: handler.map { Data($0.unread.readableBytesView) } ?? Data(), log: child.pump.handed,
            linkEnded: child.linkEnded, exit: child.exit, boot: child.boot, isIntroduced: child.isIntroduced,
            isReady: child.isReady, counters: child.counters)
    }

    /// Goes on where the driver of the program before this one stopped; instead of ``start()``.
    func resume(_ fleet: HandedFleet, _ programs: HandedPrograms, hooks: [[ServiceEvent]], from version: String) {
        machine = fleet.machine
        (configuration, configurations) = (fleet.configuration, fleet.configurations)
        lastRevision = fleet.lastRevision
        (endedWorkers, endedHubs) = (fleet.endedWorkers, fleet.endedHubs)
        (queries.lastID, lastTrace) = (fleet.lastQuery, fleet.lastTrace)
        (traceEventsDropped, brokenLinks) = (fleet.traceEventsDropped, fleet.brokenLinks)
        (isFleetReady, hasSaidReady) = (true, true)
        for child in fleet.children { adopt(child) }
        tellTakeover(from: version)
        events.hooks?.resume(hooks)
        self.programs.resume(programs)
        startClocks()
        perform([])
    }

    private func tellTakeover(from version: String) {
        let fields = ["version": WsdVersion.current, "version.before": version, "process.pid": String(pid)]
        log.takeOwn(.notice, "This program has taken the service over", fields)
        followPrograms()
        events.hooks?.configure(configuration.configuration.onEvent)
        events.take(.service(.replaced), .notice, "This program has taken the service over", fields)
    }

    private func adopt(_ handed: HandedFleet.Child) {
        let source = LogSource(slot: handed.slot, pid: handed.pid)
        let pump = LogPump(log: log, source: source, clock: setup.clock, resuming: handed.log)
        let child = Child(instance: handed.instance, slot: handed.slot, pid: handed.pid, pump: pump)
        children[handed.instance] = child
        (child.boot, child.isIntroduced, child.isReady) = (handed.boot, handed.isIntroduced, handed.isReady)
        child.counters = handed.counters
        child.linkEnded = handed.linkEnded
        if let log = handed.log { adoptLog(log.descriptor, pump) }
        if let link = handed.link {
            adoptLink(link, child, unread: ByteBuffer(bytes: handed.unread))
        } else {
            child.linkEnded = true
        }
        if let exit = handed.exit { return processEnded(handed.instance, exit) }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        do {
            try system.adopt(handed.instance, pid: handed.pid) { exit in
                bound.value.processEnded(handed.instance, exit)
            }
        } catch {
            log.takeOwn(
                .error, "A process of the service was lost in the takeover",
                ["process.name": handed.slot.description, "process.pid": String(handed.pid), "error": "\(error)"])
            // Its link is closed, which it ends by.
            child.link?.close(promise: nil)
            processEnded(handed.instance, .exited(ExitCode.osError))
        }
    }
}
