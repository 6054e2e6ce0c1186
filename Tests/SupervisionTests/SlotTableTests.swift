import Model
import Supervision
import Testing

/// Every state of a slot against every fact and order, as one table.
@Suite struct SlotTableTests {
    private static let now = MonotonicTime(nanoseconds: 1_000_000_000_000)
    private static let rules = FleetPolicy(WsdConfiguration(), cores: 1).rules(for: .worker)

    /// Process 1 is the slot's (the old one while replacing), 2 the successor, 9 a stranger. The present revision is 1.
    private static let states = ["stopped", "starting", "ready", "replacing", "killed", "told", "backoff", "failed"]

    private static func slot(in state: String) -> SlotStateMachine {
        var slot = SlotStateMachine(id: .worker(1), revision: 1)
        var random = SplitMix64(seed: 1)
        let one = InstanceID(rawValue: 1)
        if state == "stopped" { return slot }
        slot.start(instance: one, revision: 1, now: now, rules: rules)
        switch state {
        case "ready", "replacing", "told":
            _ = slot.becameReady(one, now: now, rules: rules)
            if state == "replacing" {
                slot.replace(instance: InstanceID(rawValue: 2), revision: 2, now: now, rules: rules)
            }
            if state == "told" { _ = slot.endThenStart(revision: 2, killAt: now + .seconds(3)) }
        case "killed":
            _ = slot.timePassed(now: now + .seconds(10), rules: rules)
        case "backoff":
            _ = slot.exited(one, .exited(1), now: now, rules: rules, random: &random)
        case "failed":
            _ = slot.exited(one, .exited(78), now: now, rules: rules, random: &random)
        default:
            break
        }
        return slot
    }

    private static func words(_ outcome: SlotOutcome) -> String {
        switch outcome {
        case .startDue(let revision): "start(\(revision))"
        case .kill(let process, _): "kill\(process.instance)"
        case .departs(let process, .replaced), .departs(let process, .retired): "drain\(process.instance)"
        case .departs(let process, .killed): "discard\(process.instance)"
        case .departs(let process, .dying): "leave\(process.instance)"
        case .becameReady(let process): "ready\(process.instance)"
        case .attemptFailed(let process, _): "attemptFailed\(process.instance)"
        case .ended(let process, _): "ended\(process.instance)"
        case .backingOff: "backingOff"
        case .gaveUp: "gaveUp"
        }
    }

    private static func words(_ state: SlotStateMachine.State) -> String {
        switch state {
        case .stopped: "stopped"
        case .starting(let process): "starting\(process.instance)"
        case .ready(let process): "ready\(process.instance)"
        case .replacing(let old, let successor): "replacing\(old.instance)\(successor.instance)"
        case .ending(let process, let ending): "\(ending.killAt == nil ? "killed" : "told")\(process.instance)"
        case .backoff: "backoff"
        case .failed: "failed"
        }
    }

    private func expect(
        _ expected: [String], sourceLocation: SourceLocation = #_sourceLocation,
        _ event: (inout SlotStateMachine, inout SplitMix64) -> [SlotOutcome]
    ) {
        #expect(expected.count == Self.states.count, sourceLocation: sourceLocation)
        for (state, words) in zip(Self.states, expected) {
            var slot = Self.slot(in: state)
            var random = SplitMix64(seed: 2)
            let before = Self.words(slot.state)
            let outcomes = event(&slot, &random).map(Self.words)
            let after = Self.words(slot.state)
            let result = ([after == before ? "=" : after] + outcomes).joined(separator: " ")
            #expect(result == words, "in \(state)", sourceLocation: sourceLocation)
        }
    }

    private static func id(_ number: Int) -> InstanceID { InstanceID(rawValue: number) }

    @Test func exitOfTheFirstProcess() {
        expect([
            "=", "backoff attemptFailed#1 backingOff", "backoff ended#1 backingOff", "starting#2 ended#1",
            "backoff ended#1 backingOff", "stopped ended#1 start(2)", "=", "=",
        ]) { $0.exited(Self.id(1), .exited(1), now: Self.now, rules: Self.rules, random: &$1) }
    }

    @Test func exitOfTheFirstProcessAfterStableTime() {
        expect([
            "=", "backoff attemptFailed#1 backingOff", "backoff ended#1 start(1)", "starting#2 ended#1",
            "backoff ended#1 backingOff", "stopped ended#1 start(2)", "=", "=",
        ]) { $0.exited(Self.id(1), .exited(0), now: Self.now + .seconds(30), rules: Self.rules, random: &$1) }
    }

    @Test func exitForWrongConfiguration() {
        expect([
            "=", "failed attemptFailed#1 gaveUp", "failed ended#1 gaveUp", "starting#2 ended#1",
            "failed ended#1 gaveUp",
            "stopped ended#1 start(2)", "=", "=",
        ]) { $0.exited(Self.id(1), .exited(78), now: Self.now, rules: Self.rules, random: &$1) }
    }

    @Test func exitOfTheSuccessor() {
        expect(["=", "=", "=", "ready#1 attemptFailed#2", "=", "=", "=", "="]) {
            $0.exited(Self.id(2), .exited(78), now: Self.now, rules: Self.rules, random: &$1)
        }
    }

    @Test func spawnFailed() {
        expect([
            "=", "backoff attemptFailed#1 backingOff", "backoff ended#1 backingOff", "starting#2 ended#1",
            "backoff ended#1 backingOff", "stopped ended#1 start(2)", "=", "=",
        ]) { $0.spawnFailed(Self.id(1), reason: "no memory", now: Self.now, rules: Self.rules, random: &$1) }
    }

    @Test func readyOfTheFirstProcess() {
        expect(["=", "ready#1 ready#1", "=", "=", "=", "=", "=", "="]) { slot, _ in
            slot.becameReady(Self.id(1), now: Self.now, rules: Self.rules)
        }
    }

    @Test func readyOfTheSuccessor() {
        expect(["=", "=", "=", "ready#2 ready#2 drain#1", "=", "=", "=", "="]) { slot, _ in
            slot.becameReady(Self.id(2), now: Self.now, rules: Self.rules)
        }
    }

    @Test func helloInAnotherVersion() {
        expect([
            "=", "killed#1 kill#1 attemptFailed#1", "killed#1 kill#1", "starting#2 discard#1", "=", "=", "=", "=",
        ]) { slot, _ in slot.saidHello(Self.id(1), version: "9", link: WsdVersion.link + 1) }
    }

    @Test func factsAboutStrangers() {
        let same = [String](repeating: "=", count: Self.states.count)
        expect(same) { $0.exited(Self.id(9), .exited(1), now: Self.now, rules: Self.rules, random: &$1) }
        expect(same) { slot, _ in slot.becameReady(Self.id(9), now: Self.now, rules: Self.rules) }
        expect(same) { slot, _ in slot.saidHello(Self.id(9), version: "9", link: 0) }
    }

    @Test func timeBeforeAnyDeadline() {
        expect([String](repeating: "=", count: Self.states.count)) { slot, _ in
            slot.timePassed(now: Self.now, rules: Self.rules)
        }
    }

    /// Silence after 5 s, READY deadline after 10 s, the told one's kill after 3 s, backoff at most 100 ms.
    @Test func timeAfterFiveSeconds() {
        expect([
            "=", "=", "killed#1 kill#1", "starting#2 discard#1", "=", "killed#1 kill#1", "= start(1)", "=",
        ]) { slot, _ in slot.timePassed(now: Self.now + .seconds(5), rules: Self.rules) }
    }

    @Test func timeAfterTenSeconds() {
        expect([
            "=", "killed#1 kill#1 attemptFailed#1", "killed#1 kill#1", "killed#1 discard#2 attemptFailed#2 kill#1", "=",
            "killed#1 kill#1", "= start(1)", "=",
        ]) { slot, _ in slot.timePassed(now: Self.now + .seconds(10), rules: Self.rules) }
    }

    @Test func aHeartbeatPutsOffTheSilenceOnly() {
        expect([
            "=", "killed#1 kill#1 attemptFailed#1", "=", "ready#1 discard#2 attemptFailed#2", "=", "killed#1 kill#1",
            "= start(1)", "=",
        ]) { slot, _ in
            slot.beat(Self.id(1), memory: 1, now: Self.now + .seconds(9), rules: Self.rules)
            return slot.timePassed(now: Self.now + .seconds(10), rules: Self.rules)
        }
    }

    @Test func excuseShiftsDeadlines() {
        expect(["=", "=", "=", "=", "=", "=", "= start(1)", "="]) { slot, _ in
            slot.excuse(lateness: .seconds(60), now: Self.now + .seconds(60), rules: Self.rules)
            return slot.timePassed(now: Self.now + .seconds(62), rules: Self.rules)
        }
    }

    @Test func orderToEndAndStart() {
        expect([
            "= start(3)", "killed#1 kill#1", "told#1", "told#1 discard#2", "=", "=", "stopped start(3)",
            "stopped start(3)",
        ]) { slot, _ in slot.endThenStart(revision: 3, killAt: Self.now + .seconds(1)) }
    }

    @Test func orderToKillAndStart() {
        expect([
            "= start(3)", "killed#1 kill#1", "killed#1 kill#1", "killed#1 discard#2 kill#1", "=", "=",
            "stopped start(3)",
            "stopped start(3)",
        ]) { slot, _ in slot.endThenStart(revision: 3, killAt: nil) }
    }

    @Test func orderToReleaseAndStart() {
        expect([
            "= start(3)", "killed#1 kill#1", "stopped drain#1 start(3)", "killed#1 discard#2 kill#1", "=", "=",
            "stopped start(3)", "stopped start(3)",
        ]) { slot, _ in slot.releaseThenStart(revision: 3) }
    }

    @Test func orderToRetire() {
        expect([
            "=", "stopped discard#1", "stopped drain#1", "stopped discard#2 drain#1", "stopped leave#1",
            "stopped drain#1",
            "stopped", "stopped",
        ]) { slot, _ in slot.retire() }
    }

    @Test func orderToAbandonTheReplacement() {
        expect(["=", "=", "=", "ready#1 discard#2", "=", "=", "=", "="]) { slot, _ in slot.abandonReplacement() }
    }

    @Test func anOrderedStartAfterAKillTakesItsRevision() {
        var slot = Self.slot(in: "killed")
        var random = SplitMix64(seed: 3)
        _ = slot.endThenStart(revision: 3, killAt: nil)
        let outcomes = slot.exited(
            Self.id(1), .signalled(9, coreDumped: false), now: Self.now, rules: Self.rules, random: &random)
        #expect(outcomes.map(Self.words) == ["ended#1", "start(3)"])
    }

    @Test func revisionIsTakenOverOnlyByReady() {
        var slot = Self.slot(in: "replacing")
        #expect(slot.revision == 1)
        _ = slot.becameReady(Self.id(2), now: Self.now, rules: Self.rules)
        #expect(slot.revision == 2)
    }

    @Test func aSilentProcessThatHadBeenStableIsReplacedAtOnce() {
        var slot = Self.slot(in: "ready")
        var random = SplitMix64(seed: 3)
        slot.beat(Self.id(1), memory: nil, now: Self.now + .seconds(30), rules: Self.rules)
        let late = Self.now + .seconds(35)
        #expect(slot.timePassed(now: late, rules: Self.rules).map(Self.words) == ["kill#1"])
        let outcomes = slot.exited(
            Self.id(1), .signalled(9, coreDumped: false), now: late, rules: Self.rules, random: &random)
        #expect(outcomes.map(Self.words) == ["ended#1", "start(1)"])
        #expect(slot.lastExit == "gave no heartbeat for 5 s")
    }

    @Test func itsOwnWordsStandBeforeTheKernels() {
        var slot = Self.slot(in: "starting")
        var random = SplitMix64(seed: 3)
        slot.complained(Self.id(1), reason: "the static folder is not readable", exitCode: 78)
        let outcomes = slot.exited(Self.id(1), .exited(1), now: Self.now, rules: Self.rules, random: &random)
        #expect(outcomes.map(Self.words) == ["attemptFailed#1", "gaveUp"])
        #expect(slot.lastExit == "exited with 1: the static folder is not readable")
    }
}
