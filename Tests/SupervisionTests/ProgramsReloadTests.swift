import Model
import Supervision
import Testing

/// Reloads, other numbers of processes and other configurations.
@Suite struct ProgramsReloadTests {
    typealias Harness = ProgramsHarness

    private static let address = ListenAddress.tcp(host: "127.0.0.1", port: 8080)

    // MARK: Reload

    @Test func aReloadGoesPlaceByPlace() throws {
        var programs = Harness([Harness.program("api") { $0.instances = 2 }])
        programs.forget()
        programs.reload("api")
        #expect(programs.children.map(\.signals) == [[15], []])
        programs.exit(try programs.current("api", 1))
        #expect(programs.spawns == ["api:1"])
        programs.endAsked()
        #expect(programs.spawns == ["api:1", "api:2"])
        #expect(programs.results == [.succeeded("api is reloaded (2 processes).")])
    }

    @Test func withSocketsTheSuccessorComesFirst() throws {
        var programs = Harness([
            Harness.program("api") {
                $0.listen = [Self.address]
                $0.ready = .notify
            }
        ])
        let old = try programs.current("api")
        programs.sayReady(old)
        programs.reload("api")
        #expect(try programs.states("api") == [.ready, .starting])
        #expect(try programs.child(old).signals == [])
        programs.sayReady(try programs.current("api"))
        #expect(try programs.child(old).signals == [15])
        #expect(programs.results == [])
        programs.endAsked()
        #expect(programs.results == [.succeeded("api is reloaded (1 process).")])
    }

    @Test func aSuccessorThatFailsLeavesTheOldOne() throws {
        var programs = Harness([
            Harness.program("api") {
                $0.instances = 2
                $0.listen = [Self.address]
                $0.ready = .notify
            }
        ])
        for child in programs.children { programs.sayReady(child.instance) }
        programs.reload("api")
        programs.exit(try programs.current("api"), .exited(1))
        #expect(
            programs.results == [
                .failed(
                    "api:1 exited with 1; the process that ran before goes on. The reload is aborted. "
                        + "The others were not touched.")
            ])
        #expect(try programs.states("api") == [.ready, .ready])
        #expect(programs.children.map(\.instance.rawValue) == [1, 2])
    }

    // MARK: Scale

    @Test func scaling() throws {
        var programs = Harness([Harness.program("api")])
        programs.scale("api", to: 3)
        #expect(programs.spawns == ["api:1", "api:2", "api:3"])
        programs.scale("api", to: 1)
        #expect(programs.results.count == 1)
        #expect(try programs.snapshot("api").wanted == 1)
        programs.endAsked()
        #expect(programs.results == [.succeeded("api has 3 processes."), .succeeded("api has 1 process.")])
        #expect(try programs.states("api") == [.ready])
        #expect(programs.machine.definitions.first?.configuration.instances == 1)
        guard case .impossible = programs.scale("api", to: 0) else {
            Issue.record("scaled to 0")
            return
        }
    }

    // MARK: Configuration

    @Test func theConfigurationDecidesWhatThereIs() throws {
        var programs = Harness([Harness.program("old"), Harness.program("same"), Harness.program("changed")])
        programs.add(Harness.program("mine"))
        programs.add(Harness.program("taken"))
        programs.forget()
        let changed = Harness.program("changed") { $0.command = ["changed", "--fast"] }
        programs.act {
            $0.configured(
                [Harness.program("same"), changed, Harness.program("new"), Harness.program("taken")], now: $1)
        }
        programs.endAsked()
        #expect(programs.spawns == ["new:1", "changed:1"])
        #expect(programs.actions.contains(.remember))
        let definitions = programs.machine.definitions
        #expect(definitions.map(\.configuration.name) == ["same", "changed", "mine", "taken", "new"])
        #expect(definitions.map(\.origin) == [.file, .file, .runTime, .file, .file])
        #expect(definitions.map(\.number) == [2, 3, 4, 5, 6])
        #expect(try programs.state("changed") == .ready)
    }

    @Test func whatTakesNoNewProcessIsAdoptedAtOnce() throws {
        var programs = Harness([Harness.program("api")])
        programs.forget()
        programs.act { machine, now in
            let configuration = Harness.program("api") {
                $0.stopSignal = 3
                $0.instances = 2
                $0.cron = nil
                $0.watch = ["src"]
            }
            return machine.configured([configuration], now: now)
        }
        #expect(programs.spawns == ["api:2"])
        #expect(programs.actions.contains { if case .watch("api", _?) = $0 { true } else { false } })
        programs.stop("api")
        #expect(programs.children.map(\.signals) == [[3], [3]])
        #expect(programs.actions.contains(.watch(program: "api", nil)))
    }

    @Test func otherSocketsAreBoundWhenTheOldOnesAreFree() throws {
        var programs = Harness([
            Harness.program("api") {
                $0.instances = 2
                $0.listen = [Self.address]
            }
        ])
        programs.forget()
        programs.act { machine, now in
            let configuration = Harness.program("api") {
                $0.instances = 2
                $0.listen = [.tcp(host: "127.0.0.1", port: 8081)]
            }
            return machine.configured([configuration], now: now)
        }
        programs.exit(try programs.current("api", 1))
        #expect(programs.spawns == [])
        programs.endAsked()
        #expect(programs.spawns == ["api:1", "api:2"])
        #expect(programs.actions.count { $0 == .closeSockets(program: "api") } == 1)
    }

    /// A former life of the service may have left them open.
    @Test func socketsOfAProgramThatNeverStartedAreClosedWhenItIsStopped() {
        var programs = Harness([
            Harness.program("data") { $0.ready = .notify },
            Harness.program("api") {
                $0.listen = [Self.address]
                $0.dependsOn = ["data"]
            },
        ])
        programs.forget()
        _ = programs.stop("api")
        #expect(programs.actions.contains(.closeSockets(program: "api")))
    }

    @Test func anOperationDoesNotWaitForSocketsThatWillNotComeFree() throws {
        var programs = Harness([
            Harness.program("api") {
                $0.listen = [Self.address]
                $0.ready = .notify
            }
        ])
        programs.sayReady(try programs.current("api"))
        programs.scale("api", to: 2)
        programs.act { machine, now in
            let configuration = Harness.program("api") {
                $0.listen = [.tcp(host: "127.0.0.1", port: 8081)]
                $0.ready = .notify
            }
            return machine.configured([configuration], now: now)
        }
        #expect(
            programs.results == [.failed("api: called off: it listens elsewhere according to the configuration.")])
        #expect(programs.children.map(\.signals) == [[15], [15]])
    }
}
