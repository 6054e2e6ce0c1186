import Model
import Testing
import Wire

@testable import wsctl

@Suite struct MemoryScreenTests {
    private static let mebibyte = 1 << 20

    private static func status(
        usage: Int, inactiveFile: Int = 0, high: Int? = 1000, max: Int? = nil, _ events: MemoryEvents = MemoryEvents(),
        strainedAgo: Double? = nil, pressure: Double = 0
    ) -> ServiceStatus {
        let reading = MemoryReading(
            usage: usage * mebibyte, inactiveFile: inactiveFile * mebibyte, high: high.map { $0 * mebibyte },
            max: max.map { $0 * mebibyte },
            pressure: MemoryPressure(some: pressure, full: 0, someSeconds: 0, fullSeconds: 0))
        var status = Sample.status()
        status.memory = ServiceMemory(reading, events: events, strainedAgo: strainedAgo)
        return status
    }

    private static func line(_ status: ServiceStatus) -> String? {
        StatusScreen.lines(status, .plain).first { $0.hasPrefix("  memory ") }
    }

    @Test func statusIsSilentUntilThereIsSomethingToSay() {
        #expect(Self.line(Sample.status()) == nil)
        #expect(Self.line(Self.status(usage: 799)) == nil)
        #expect(Self.line(Self.status(usage: 999, inactiveFile: 200)) == nil)
        #expect(Self.line(Self.status(usage: 9999, high: nil)) == nil)
        #expect(Self.line(Self.status(usage: 10, MemoryEvents(high: 9, max: 9))) == nil, "file cache, as a rule")
        #expect(Self.line(Self.status(usage: 800)) == "  memory       800 MiB of 1000 MiB (MemoryHigh)")
        #expect(Self.line(Self.status(usage: 800, high: nil, max: 900))?.hasSuffix("of 900 MiB (MemoryMax)") == true)
        #expect(
            Self.line(
                Self.status(
                    usage: 100, MemoryEvents(high: 2, oomKills: 1), strainedAgo: 185, pressure: 12.3))
                == "  memory       100 MiB of 1000 MiB (MemoryHigh); short of memory 3 min 5 s ago; "
                + "1 process killed by the kernel; waiting 12 % of the time")
    }

    @Test func theDoctorSaysHowMuchAndWhatToDo() {
        func checks(_ status: ServiceStatus) -> [Check] { Diagnosis.memory(status) }
        #expect(checks(Sample.status()) == [])
        #expect(checks(Self.status(usage: 100)) == [.ok("Memory: 100 MiB of 1000 MiB (MemoryHigh).")])
        #expect(checks(Self.status(usage: 100, high: nil)) == [.ok("Memory: 100 MiB, no limit.")])
        #expect(checks(Self.status(usage: 100, strainedAgo: 3601)).map(\.verdict) == [.ok])
        let near = checks(Self.status(usage: 900))
        #expect(near.map(\.verdict) == [.note])
        #expect(near[0].advice?.contains("systemctl edit wsd") == true)
        let short = checks(Self.status(usage: 1200, strainedAgo: 2))
        #expect(short.map(\.finding) == ["Memory was short just now; now in use: 1.2 GiB of 1000 MiB (MemoryHigh)."])
        #expect(short[0].verdict == .problem)
    }

    @Test func theDoctorNamesThoseThatTheKernelKilled() {
        var status = Self.status(usage: 10, max: 2000, MemoryEvents(oomKills: 3))
        (status.processes[1].memoryKills, status.processes[2].memoryKills) = (1, 2)
        status.processes.append(status.processes[2])
        #expect(
            Diagnosis.memory(status).map(\.finding)
                == [
                    "The kernel killed 3 processes for memory: hub (1 time), worker 1 (2 times). "
                        + "Now in use: 10.0 MiB of 1000 MiB (MemoryHigh)."
                ])
        status.memory?.max = nil
        #expect(Diagnosis.memory(status)[0].advice?.contains("The machine itself had none left") == true)
    }

    /// Where the kernel's kills are counted, a SIGKILL that is not among them was none.
    @Test func aKillThatWasNotTheKernels() {
        var status = Sample.status()
        status.processes[2] = Sample.gone(1, .backoff, restarts: 1, lastExit: "was killed by SIGKILL", retryIn: 1)
        func advice() -> String { Diagnosis.service(status, lastWords: [:]).compactMap(\.advice).joined() }
        #expect(advice().contains("the kernel did"))
        status.memory = Self.status(usage: 1).memory
        #expect(!advice().contains("the kernel did"))
    }
}
