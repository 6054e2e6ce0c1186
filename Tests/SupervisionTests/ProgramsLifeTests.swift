import Model
import Supervision
import Testing

/// Readiness, ends, restarts and what is asked of processes, without operations.
@Suite struct ProgramsLifeTests {
    typealias Harness = ProgramsHarness

    private static let probe = ProgramProbe.tcp(host: "127.0.0.1", port: 3000)

    // MARK: Start

    @Test func everyWantedProgramStartsAndIsSettled() throws {
        let programs = Harness([
            Harness.program("web") { $0.instances = 2 }, Harness.program("all-cores") { $0.instances = nil },
        ])
        #expect(programs.spawns == ["web:1", "web:2"] + (1...4).map { "all-cores:\($0)" })
        #expect(try programs.states("web") == [.ready, .ready])
        #expect(programs.actions.last == .settled)
        #expect(programs.machine.resolve("2:1") == ProgramTarget(program: "all-cores", number: 1))
        #expect(programs.machine.resolve("web") == ProgramTarget(program: "web"))
        #expect(programs.machine.resolve("3") == nil)
        #expect(programs.machine.resolve("web:-9223372036854775808") == nil)
    }

    @Test func numbersAreKept() throws {
        var machine = ProgramsStateMachine(cores: 1, seed: 1)
        let remembered = ProgramDefinition(
            configuration: Harness.program("job"), origin: .runTime, isWanted: false, number: 1)
        let filed = ProgramDefinition(configuration: Harness.program("web"), origin: .file)
        _ = machine.start([filed, remembered], now: .zero)
        #expect(machine.resolve("1") == ProgramTarget(program: "job"))
        #expect(machine.resolve("2") == ProgramTarget(program: "web"))
        #expect(machine.snapshots(now: .zero).map(\.state) == [.stopped, .starting])
    }

    @Test func dependenciesAreReadyFirst() throws {
        var programs = Harness([
            Harness.program("api") { $0.dependsOn = ["db"] }, Harness.program("db") { $0.ready = .notify },
        ])
        #expect(programs.spawns == ["db:1"])
        #expect(try programs.snapshot("api").problems == ["api waits for db, which is not ready yet."])
        #expect(!programs.actions.contains(.settled))
        programs.sayReady(try programs.current("db"))
        #expect(programs.spawns == ["db:1", "api:1"])
        #expect(programs.actions.last == .settled)
    }

    @Test func aDependencyThatHasFinishedIsEnough() throws {
        var programs = Harness([
            Harness.program("migrate") {
                $0.restart = .never
                $0.ready = .after(.seconds(60))
            }, Harness.program("api") { $0.dependsOn = ["migrate"] },
        ])
        programs.exit(try programs.current("migrate"))
        #expect(programs.spawns == ["migrate:1", "api:1"])
        #expect(try programs.state("migrate") == .finished)
    }

    @Test func oneThatWaitsForAFailedOneHoldsNothingUp() throws {
        var programs = Harness([
            Harness.program("db") {
                $0.restart = .never
                $0.ready = .notify
            }, Harness.program("api") { $0.dependsOn = ["db"] }, Harness.program("web") { $0.dependsOn = ["api"] },
        ])
        programs.exit(try programs.current("db"), .exited(3))
        #expect(try programs.state("db") == .failed)
        #expect(try programs.snapshot("web").problems == ["web waits for api, which waits for db, which has failed."])
        #expect(programs.actions.last == .settled)
    }

    @Test func oneThatIsNotTriedForLongHoldsNothingUp() throws {
        var programs = Harness([
            Harness.program("job") {
                $0.ready = .notify
                $0.backoff.initialDelay = .seconds(60)
                $0.backoff.maxDelay = .seconds(60)
            }
        ])
        programs.exit(try programs.current("job"), .exited(3))
        #expect(try programs.state("job") == .backoff)
        #expect(programs.actions.last == .settled)
    }

    // MARK: Readiness

    @Test func aProbeIsRepeatedUntilItSucceeds() throws {
        var programs = Harness([Harness.program("api") { $0.ready = .probe(Self.probe) }])
        let api = try programs.current("api")
        #expect(try programs.child(api).probe == Self.probe)
        programs.answer(api, failure: "connection refused")
        #expect(try programs.child(api).probe == nil)
        programs.pass(.milliseconds(200))
        #expect(try programs.child(api).probe == Self.probe)
        programs.answer(api)
        #expect(try programs.state("api") == .ready)
    }

    @Test func aProcessThatIsNotReadyInTimeIsKilledAndTriedAgain() throws {
        var programs = Harness([
            Harness.program("api") {
                $0.ready = .probe(Self.probe)
                $0.readyTimeout = .seconds(2)
            }
        ])
        let api = try programs.current("api")
        programs.pass(.seconds(3)) { _ in "connection refused" }
        #expect(programs.kills == [api])
        #expect(programs.spawns == ["api:1"])
        programs.endAsked()
        let process = try #require(try programs.snapshot("api").processes.first)
        #expect(process.state == .backoff)
        #expect(process.lastExit == "was not ready within 2 s: connection refused")
        programs.pass(.seconds(1))
        #expect(programs.spawns == ["api:1", "api:1"])
        #expect(try programs.snapshot("api").processes.first?.restarts == 1)
    }

    @Test(arguments: [
        (ProgramReadiness.notify, "it did not say READY=1"),
        (.log("up"), "no line of its output contains “up”"),
    ])
    func whatWasMissingIsSaid(ready: ProgramReadiness, missing: String) throws {
        var programs = Harness([
            Harness.program("api") {
                $0.ready = ready
                $0.readyTimeout = .seconds(2)
            }
        ])
        programs.pass(.seconds(3))
        programs.endAsked()
        #expect(try programs.snapshot("api").processes.first?.lastExit == "was not ready within 2 s: \(missing)")
    }

    @Test func aProcessIsReadyWhenItHasLivedLongEnough() throws {
        var programs = Harness([Harness.program("api") { $0.ready = .after(.seconds(2)) }])
        programs.pass(.milliseconds(1900))
        #expect(try programs.state("api") == .starting)
        programs.pass(.milliseconds(100))
        #expect(try programs.state("api") == .ready)
    }

    // MARK: Ends

    @Test func anEndIsAnsweredByItsRestartPolicy() throws {
        var programs = Harness([Harness.program("api") { $0.backoff.maxUnstable = 2 }])
        for _ in 1...2 {
            programs.exit(try programs.current("api"), .exited(1))
            #expect(try programs.state("api") == .backoff)
            programs.pass(.seconds(1))
            #expect(try programs.state("api") == .ready)
        }
        programs.act { machine, _ in
            machine.lastLine(InstanceID(rawValue: 3), "Error: Cannot find module '/srv/app.js'")
            machine.lastLine(InstanceID(rawValue: 3), "    at Module._load (node:internal)")
            machine.lastLine(InstanceID(rawValue: 3), "Node.js v20.1.0")
            return []
        }
        programs.exit(try programs.current("api"), .exited(1))
        let snapshot = try programs.snapshot("api")
        #expect(snapshot.state == .failed)
        #expect(snapshot.processes.first?.restarts == 2)
        #expect(snapshot.processes.first?.lastExit == "exited with 1: Error: Cannot find module '/srv/app.js'")
        #expect(programs.eventMessages.last == "Program failed: it is not started any more")
    }

    @Test func whatRunsAgainAfterACrashHasToShowIt() throws {
        var programs = Harness([Harness.program("api")])
        #expect(try programs.snapshot("api").processes.first?.isOnProbation == false)
        programs.exit(try programs.current("api"), .exited(1))
        #expect(programs.machine.isDegraded(now: programs.now))
        while try programs.state("api") != .ready { programs.pass(.milliseconds(10)) }
        let snapshot = try programs.snapshot("api")
        #expect(snapshot.processes.first?.isOnProbation == true && programs.machine.isDegraded(now: programs.now))
        #expect(snapshot.problems == ["api:1 exited with 1; it has just been started again."])
        programs.pass(.seconds(1))
        #expect(try programs.snapshot("api").processes.first?.isOnProbation == false)
        #expect(try programs.snapshot("api").problems == [] && !programs.machine.isDegraded(now: programs.now))
    }

    @Test func startsOfAPlaceAreNotCloserThanTheirInterval() throws {
        var programs = Harness([Harness.program("api") { $0.backoff.stableAfter = .zero }])
        programs.exit(try programs.current("api"), .exited(0))
        #expect(try programs.state("api") == .backoff)
        programs.pass(ProgramLimits.startInterval)
        #expect(programs.spawns == ["api:1", "api:1"])
    }

    @Test func aStableOneIsStartedAgainAtOnce() throws {
        var programs = Harness([Harness.program("api")])
        programs.pass(.seconds(31))
        programs.exit(try programs.current("api"), .signalled(11, coreDumped: true))
        #expect(try programs.state("api") == .ready)
        #expect(try programs.snapshot("api").processes.first?.restarts == 1)
    }

    @Test(arguments: [
        (ProgramRestart.always, Int32(0), ProgramSnapshot.State.backoff), (.always, 7, .finished),
        (.onFailure, 0, .finished), (.onFailure, 1, .backoff), (.onFailure, 7, .finished), (.never, 0, .finished),
        (.never, 1, .failed),
    ])
    func whatAnExitCodeMeans(restart: ProgramRestart, code: Int32, state: ProgramSnapshot.State) throws {
        var programs = Harness([
            Harness.program("job") {
                $0.restart = restart
                $0.stopExitCodes = [7]
            }
        ])
        programs.exit(try programs.current("job"), .exited(code))
        #expect(try programs.state("job") == state)
    }

    @Test func aCommandThatCannotBeExecutedIsAnUnstableEnd() throws {
        var programs = Harness()
        programs.unspawnable = ["nod"]
        programs.add(Harness.program("nod"))
        #expect(try programs.state("nod") == .backoff)
        let message = try #require(programs.results.first?.message)
        #expect(message.hasPrefix("nod:1 could not be started: there is no program “nod”; it is started again in 0."))
    }

    @Test func aPlaceIsFreeOnlyWhenNothingIsLeftBehind() throws {
        var programs = Harness([Harness.program("api")])
        programs.treesGoAtOnce = false
        let api = try programs.current("api")
        programs.exit(api, .exited(1))
        #expect(programs.actions.contains(.sweepTree(api)))
        programs.pass(.seconds(5))
        #expect(programs.spawns == ["api:1"])
        programs.treeGone(api)
        #expect(programs.spawns == ["api:1", "api:1"])
    }

    @Test func whatNeverGoesAwayDoesNotBlockForEver() throws {
        var programs = Harness([Harness.program("api")])
        programs.treesGoAtOnce = false
        programs.exit(try programs.current("api"), .exited(1))
        programs.pass(ProgramLimits.killPatience)
        #expect(programs.eventMessages.contains("What a program left behind does not go away"))
        #expect(programs.spawns == ["api:1", "api:1"])
    }

    @Test func factsAboutProcessesThatAreGoneAreIgnored() throws {
        var programs = Harness([Harness.program("api")])
        let api = try programs.current("api")
        programs.act { $0.treeGone(api, now: $1) }
        #expect(try programs.state("api") == .ready)
        programs.exit(api, .exited(1))
        programs.forget()
        for instance in [api, InstanceID(rawValue: 99)] {
            programs.act { $0.exited(instance, .exited(0), now: $1) }
            programs.act { $0.spawned(instance, pid: 1, now: $1) }
            programs.act { $0.spawnFailed(instance, reason: "x", now: $1) }
            programs.act { $0.treeGone(instance, now: $1) }
            programs.act { $0.probed(instance, failure: "x", now: $1) }
            programs.act { $0.saidReady(instance, now: $1) }
            programs.act { $0.measured(instance, memory: .max, now: $1) }
        }
        #expect(programs.actions == [])
        #expect(try programs.state("api") == .backoff)
    }

    /// Whatever is reported in whatever order: nothing traps, and the end comes.
    @Test(arguments: 0..<8 as Range<UInt64>)
    func anyOrderOfFactsIsSurvived(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var machine = ProgramsStateMachine(cores: 2, seed: seed)
        var now = MonotonicTime.zero
        let names = ["a", "b", "c"]
        let definitions = names.map { name in
            ProgramDefinition(
                configuration: Harness.program(name) {
                    $0.instances = nil
                    $0.dependsOn = name == "c" ? ["a"] : []
                    $0.listen = name == "b" ? [.unix(path: "/run/b")] : []
                    $0.maxMemory = 1
                    $0.backoff.stableAfter = .zero
                }, origin: .file)
        }
        var actions = machine.start(definitions, now: now)
        for _ in 0..<400 {
            now += .milliseconds(Int64.random(in: 0...900, using: &random))
            let name = names.randomElement(using: &random) ?? ""
            let recent = machine.livingInstances.last?.rawValue ?? 0
            let instance = InstanceID(rawValue: Int.random(in: max(0, recent - 4)...recent + 1, using: &random))
            var response: ProgramResponse?
            switch Int.random(in: 0...17, using: &random) {
            case 0...2: actions += machine.spawned(instance, pid: 1, now: now)
            case 3: actions += machine.spawnFailed(instance, reason: "x", now: now)
            case 4: actions += machine.exited(instance, .exited(1), now: now)
            case 5, 6: actions += machine.treeGone(instance, now: now)
            case 7: actions += machine.probed(instance, failure: "x", now: now)
            case 8: actions += machine.saidReady(instance, now: now)
            case 9: actions += machine.measured(instance, memory: .max, now: now)
            case 10: response = machine.startRequested(name, now: now)
            case 11: response = machine.stopRequested(name, now: now)
            case 12: response = machine.restartRequested(ProgramTarget(program: name), now: now)
            case 13: response = machine.reloadRequested(name, now: now)
            case 14: response = machine.scaleRequested(name, to: Int.random(in: 1...3, using: &random), now: now)
            default: actions += machine.timePassed(now: now)
            }
            if case .accepted(_, let more)? = response { actions += more }
        }
        actions += machine.stopAllRequested(now: now) + machine.hurryRequested(now: now)
        for _ in 0..<30 {
            now += .seconds(1)
            actions += machine.timePassed(now: now)
        }
        #expect(actions.contains(.allStopped))
    }

    // MARK: Liveness and memory

    @Test func aProcessThatDoesNotAnswerIsReplaced() throws {
        var programs = Harness([
            Harness.program("api") {
                $0.alive = Self.probe
                $0.aliveInterval = .seconds(1)
                $0.aliveFailures = 2
            }
        ])
        let api = try programs.current("api")
        programs.pass(.seconds(5)) { _ in nil }
        #expect(programs.actions.count { if case .probe = $0 { true } else { false } } == 5)
        programs.pass(.seconds(3)) { $0.instance == api ? "connection refused" : nil }
        #expect(try programs.child(api).signals == [15])
        #expect(programs.eventMessages.contains("Program does not answer"))
        programs.pass(.seconds(10))
        #expect(programs.kills == [api])
        programs.endAsked()
        #expect(
            try programs.snapshot("api").processes.first?.lastExit
                == "did not answer 2 times in a row: connection refused")
        programs.pass(.seconds(1))
        #expect(try programs.states("api") == [.ready])
        #expect(try programs.snapshot("api").processes.first?.restarts == 1)
    }

    @Test func nobodyAnswersForTheSupervisorsSleep() throws {
        var programs = Harness([
            Harness.program("api") {
                $0.ready = .notify
                $0.readyTimeout = .seconds(5)
            },
            Harness.program("web") {
                $0.alive = Self.probe
                $0.aliveInterval = .seconds(1)
                $0.aliveFailures = 1
            },
        ])
        programs.pass(.seconds(1))
        let web = try programs.current("web")
        #expect(try programs.child(web).probe != nil)
        programs.sleep(.seconds(60))
        programs.answer(web, failure: "timed out")
        programs.pass(.seconds(3)) { _ in nil }
        #expect(programs.kills == [])
        #expect(try programs.child(web).signals == [])
        programs.pass(.seconds(2))
        #expect(programs.kills == [try programs.current("api")])
    }

    @Test func tooMuchMemoryTwiceIsTooMuch() throws {
        var programs = Harness([
            Harness.program("api") { $0.maxMemory = 1 << 20 },
            Harness.program("web") {
                $0.maxMemory = 1 << 20
                $0.listen = [.tcp(host: "127.0.0.1", port: 8080)]
            },
        ])
        programs.pass(.seconds(31))
        for name in ["api", "web"] {
            let instance = try programs.current(name)
            for memory in [2 << 20, 10, 2 << 20] { programs.act { $0.measured(instance, memory: memory, now: $1) } }
            #expect(try programs.states(name) == [.ready])
            programs.act { $0.measured(instance, memory: 2 << 20, now: $1) }
        }
        #expect(try programs.states("api") == [.stopping])
        // Its successor is ready already.
        #expect(try programs.states("web") == [.stopping, .ready])
        programs.endAsked()
        for name in ["api", "web"] {
            #expect(try programs.states(name) == [.ready])
            #expect(try programs.snapshot(name).processes.first?.restarts == 1)
        }
        let api = try programs.snapshot("api").processes.first
        #expect(api?.lastExit == "used 2 MiB of memory, more than maxMemory (1 MiB)")
    }
}
