import Model
import Supervision
import Testing

/// What an operator, files, the clock and other programs ask for, and the end of the service.
@Suite struct ProgramsOperationTests {
    typealias Harness = ProgramsHarness

    // MARK: Add, start, stop, delete

    @Test func aProgramIsAddedStoppedStartedAndDeleted() throws {
        var programs = Harness()
        programs.add(Harness.program("api") { $0.instances = 2 })
        #expect(programs.actions.contains(.remember))
        #expect(programs.results == [.succeeded("api is ready (2 processes).")])
        #expect(programs.progress == ["api:1 is ready (pid 1001)", "api:2 is ready (pid 1002)"])
        #expect(programs.add(Harness.program("api")) == .exists("api"))
        programs.forget()
        programs.stop("api")
        #expect(programs.results == [])
        #expect(programs.children.map(\.signals) == [[15], [15]])
        #expect(programs.start("api") == .busy(program: "api", .stop))
        programs.endAsked()
        #expect(programs.results == [.succeeded("api is stopped.")])
        #expect(programs.machine.definitions.map(\.isWanted) == [false])
        programs.forget()
        programs.start("api")
        #expect(programs.results == [.succeeded("api is ready (2 processes).")])
        programs.start("api")
        #expect(programs.results.last == .succeeded("api runs already (2 processes)."))
        programs.request { $0.deleteRequested("api", now: $1) }
        programs.endAsked()
        #expect(programs.results.last == .succeeded("api is stopped and forgotten."))
        #expect(programs.machine.snapshots(now: programs.now).isEmpty)
        #expect(programs.machine.livingInstances.isEmpty)
        #expect(programs.stop("api") == .unknown("api"))
    }

    @Test func whatCannotBeAdded() {
        var programs = Harness([Harness.program("db")])
        for (change, words) in [
            ({ $0.dependsOn = ["x"] }, "names “x” in dependsOn"), ({ $0.restartsWith = ["api"] }, "names itself"),
            ({ $0.command = [] }, "no command"), ({ $0.name = "12" }, "cannot be the name"),
        ] as [((inout ProgramConfiguration) -> Void, String)] {
            guard case .impossible(let sentence) = programs.add(Harness.program("api", change)) else {
                Issue.record("\(words): not refused")
                continue
            }
            #expect(sentence.contains(words))
        }
        #expect(programs.request { $0.deleteRequested("db", now: $1) } == .inConfiguration("db"))
        programs.add(Harness.program("cache"))
        programs.add(Harness.program("api") { $0.dependsOn = ["cache"] })
        #expect(programs.request { $0.deleteRequested("cache", now: $1) } == .needed("cache", by: ["api"]))
    }

    @Test func aStartThatFailsSaysWhyAndGoesOn() throws {
        var programs = Harness()
        programs.add(Harness.program("api") { $0.ready = .notify })
        let api = try programs.current("api")
        programs.act { machine, _ in
            machine.lastLine(api, "panic: no database")
            return []
        }
        programs.exit(api, .exited(2))
        let message = try #require(programs.results.first?.message)
        #expect(message.hasPrefix("api:1 exited with 2: panic: no database; it is started again in 0."))
        programs.pass(.seconds(1))
        programs.sayReady(try programs.current("api"))
        #expect(try programs.state("api") == .ready)
    }

    @Test func aCommandThatEndsAtOnceIsNoSuccess() throws {
        var programs = Harness()
        programs.add(Harness.program("good") { $0.ready = .after(.zero) })
        programs.add(Harness.program("bad") { $0.ready = .after(.zero) })
        #expect(try programs.state("bad") == .ready)
        programs.pass(.milliseconds(300))
        #expect(programs.results == [])
        programs.exit(try programs.current("bad"), .exited(1))
        programs.pass(.milliseconds(200))
        #expect(programs.results.map { $0 == .succeeded("good is ready (1 process).") } == [false, true])
    }

    @Test func aStartBringsWhatItDependsOn() throws {
        var programs = Harness([Harness.program("db"), Harness.program("api") { $0.dependsOn = ["db"] }])
        for name in ["api", "db"] { programs.stop(name) }
        programs.endAsked()
        programs.forget()
        programs.start("api")
        #expect(programs.progress.first == "db is started, too: api depends on it")
        #expect(programs.spawns == ["db:1", "api:1"])
        #expect(programs.results == [.succeeded("api is ready (1 process).")])
    }

    @Test func aStopDoesNotWaitForAnythingElse() throws {
        var programs = Harness()
        programs.add(Harness.program("api") { $0.ready = .notify })
        programs.stop("api")
        #expect(programs.results == [.failed("api: called off: stop was asked for.")])
        programs.endAsked()
        #expect(programs.results.last == .succeeded("api is stopped."))
        #expect(programs.stop("api") == nil)
        #expect(programs.results.last == .succeeded("api is stopped already."))
    }

    @Test func stopTimeoutEndsInAKill() throws {
        var programs = Harness([
            Harness.program("api") {
                $0.stopSignal = 2
                $0.stopTimeout = .seconds(3)
            }
        ])
        let api = try programs.current("api")
        programs.stop("api")
        programs.pass(.milliseconds(2900))
        #expect(try programs.child(api).signals == [2])
        #expect(programs.kills == [])
        programs.pass(.milliseconds(100))
        #expect(programs.kills == [api])
    }

    // MARK: Restart, signal, reset

    @Test func aRestartIsStopThenStart() throws {
        var programs = Harness([Harness.program("api") { $0.instances = 2 }])
        programs.forget()
        programs.restart("api", number: 2)
        #expect(programs.spawns == [])
        programs.endAsked()
        #expect(programs.spawns == ["api:2"])
        #expect(programs.results == [.succeeded("api:2 is ready.")])
        #expect(programs.restart("api", number: 3) == .noSuchProcess(ProgramProcessID(program: "api", number: 3)))
        programs.restart("api")
        programs.endAsked()
        #expect(programs.results.last == .succeeded("api is ready (2 processes)."))
        #expect(try programs.snapshot("api").processes.map(\.restarts) == [0, 0])
    }

    @Test func signalsGoToTheMainProcesses() throws {
        var programs = Harness([Harness.program("api") { $0.instances = 2 }])
        programs.request { $0.signalRequested(ProgramTarget(program: "api", number: 2), 1, now: $1) }
        #expect(programs.children.map(\.signals) == [[], [1]])
        #expect(programs.results == [.succeeded("SIGHUP sent to 1 process of api.")])
        programs.stop("api")
        programs.endAsked()
        #expect(
            programs.request { $0.signalRequested(ProgramTarget(program: "api"), 1, now: $1) } == .notRunning("api"))
    }

    @Test func aResetStartsWhatHasFailed() throws {
        var programs = Harness([Harness.program("job") { $0.restart = .never }])
        programs.exit(try programs.current("job"), .exited(1))
        #expect(try programs.state("job") == .failed)
        programs.request { $0.resetRequested("job", now: $1) }
        #expect(try programs.state("job") == .ready)
    }

    // MARK: Files, cron, other programs

    @Test func changedFilesAndCronRestart() throws {
        var programs = Harness([
            Harness.program("api") { $0.watch = ["."] },
            Harness.program("job") {
                $0.restart = .never
                $0.watch = ["x"]
            },
        ])
        programs.forget()
        programs.act { $0.filesChanged("api", "src/app.js", now: $1) }
        #expect(programs.eventMessages == ["Program files changed", "Program operation started"])
        programs.endAsked()
        #expect(programs.spawns == ["api:1"])
        #expect(programs.results == [])
        programs.exit(try programs.current("job"))
        programs.act { $0.cronDue("job", now: $1) }
        #expect(programs.spawns == ["api:1", "job:1"])
        programs.stop("job")
        programs.endAsked()
        programs.act { $0.cronDue("job", now: $1) }
        #expect(try programs.state("job") == .stopped)
    }

    @Test func aFollowerRestartsOnceAndDoesNotPlayPingPong() throws {
        var programs = Harness([
            Harness.program("db") {
                $0.instances = 2
                $0.restartsWith = ["api"]
            }, Harness.program("api") { $0.restartsWith = ["db"] },
        ])
        #expect(programs.spawns == ["db:1", "db:2", "api:1"])
        programs.forget()
        programs.restart("db")
        programs.endAsked()
        programs.endAsked()
        #expect(programs.spawns == ["db:1", "db:2", "api:1"])
        programs.exit(try programs.current("db"), .exited(1))
        programs.pass(.seconds(1))
        programs.endAsked()
        programs.pass(.seconds(1))
        programs.endAsked()
        #expect(programs.spawns == ["db:1", "db:2", "api:1", "db:1", "api:1"])
    }

    // MARK: The end

    @Test func dependantsEndFirst() throws {
        var programs = Harness([
            Harness.program("db"), Harness.program("api") { $0.dependsOn = ["db"] },
            Harness.program("web") { $0.dependsOn = ["api"] },
        ])
        programs.act { $0.stopAllRequested(now: $1) }
        var order: [String] = []
        while let child = programs.children.first(where: { !$0.signals.isEmpty }) {
            order.append(child.place.program)
            programs.exit(child.instance)
        }
        #expect(order == ["web", "api", "db"])
        #expect(programs.actions.last == .allStopped)
        #expect(programs.start("db") == .stopping)
        #expect(programs.machine.definitions.map(\.isWanted) == [true, true, true])
    }

    @Test func aHurryKillsEverything() throws {
        var programs = Harness([Harness.program("db"), Harness.program("api") { $0.dependsOn = ["db"] }])
        programs.stop("api")
        programs.act { $0.hurryRequested(now: $1) }
        #expect(programs.kills == [])
        programs.act { $0.stopAllRequested(now: $1) }
        #expect(programs.results == [.failed("api: called off: the service stops.")])
        programs.act { $0.hurryRequested(now: $1) }
        #expect(programs.kills.count == 2)
        programs.endAsked()
        #expect(programs.actions.last == .allStopped)
    }

    @Test func noProgramsAreSettledAndStoppedAtOnce() {
        var programs = Harness()
        #expect(programs.actions == [.settled])
        programs.act { $0.stopAllRequested(now: $1) }
        #expect(programs.actions.last == .allStopped)
    }
}
