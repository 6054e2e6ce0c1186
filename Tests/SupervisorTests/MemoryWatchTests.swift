import Glibc
import LinuxSystem
import Model
import NIOCore
import Testing
import Wire

@testable import Supervisor

struct MemoryWatchTests {
    private static let mebibyte = 1 << 20

    private static func reading(_ usage: Int, _ events: MemoryEvents = MemoryEvents()) -> MemoryReading {
        MemoryReading(usage: usage * mebibyte, high: 100 * mebibyte, max: 200 * mebibyte, events: events)
    }

    @Test func anEventIsReadAndTold() async throws {
        let pipe = try Descriptors.pipe()
        let service = try await TestService(workers: 1) { system in
            system.memoryReading = Self.reading(50)
            system.memoryNotice = pipe.read
        }
        try await service.untilReady()
        let before = try await service.parts.run { $0.driver.status().memory }
        #expect(before?.usage == 50 * Self.mebibyte)
        #expect(before?.strainedAgo == nil)
        try await service.parts.run { $0.system.memoryReading = Self.reading(99, MemoryEvents(high: 3)) }
        #expect(write(pipe.write, "x", 1) == 1)
        try await service.until("the reading") { $0.driver.status().memory?.events.high == 3 }
        let after = try await service.parts.run { $0.driver.status() }
        #expect(after.memory?.strainedAgo != nil)
        #expect(after.health == .ok)
        let log = try await service.request("GET", "/v1/logs?level=warning").body
        #expect(log.contains("Memory is above MemoryHigh"), "\(log)")
        #expect(log.contains(#""memory.usage":"99.0 MiB of 100 MiB""#), "\(log)")
        #expect(try await service.request("GET", "/metrics").body.contains("wsd_cgroup_memory_high_bytes 104857600"))
        close(pipe.write)
        try await service.close()
    }

    /// The group is read once more when a child is found killed, notice or not.
    @Test func aKillByTheKernelIsTheReasonOfTheEnd() async throws {
        let service = try await TestService(workers: 1) { $0.memoryReading = Self.reading(50) }
        try await service.untilReady()
        try await service.parts.run { parts in
            parts.system.memoryReading = Self.reading(50, MemoryEvents(oom: 1, oomKills: 1))
            parts.system.kill(InstanceID(rawValue: 2))
        }
        try await service.until("a successor") { $0.driver.status().totals.restarts == 1 }
        let worker = try await service.parts.run { $0.driver.status().processes.first { $0.worker == 1 } }
        #expect(worker?.lastExit == "was killed by the kernel for memory")
        #expect(worker?.memoryKills == 1)
        let log = try await service.request("GET", "/v1/logs?level=error&worker=1").body
        #expect(log.contains("The kernel killed a process of the service for memory"), "\(log)")
        try await service.close()
    }

    @Test func withoutAGroupThereIsNothing() async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        let status = try await service.request("GET", "/v1/status").body
        #expect(!status.contains(#""workingSet""#))
        let metrics = try Exposition(try await service.request("GET", "/metrics").body)
        #expect(metrics.value("wsd_cgroup_memory_usage_bytes") == nil)
        try await service.close()
    }

    @Test func theEndOfTheServiceEndsTheWatch() async throws {
        let pipe = try Descriptors.pipe()
        let service = try await TestService(workers: 1) { system in
            system.memoryReading = Self.reading(50)
            system.memoryNotice = pipe.read
        }
        try await service.untilReady()
        _ = try await service.request("POST", "/v1/stop")
        #expect(try await service.ended.get() == 0)
        var entry = pollfd(fd: pipe.write, events: 0, revents: 0)
        #expect(poll(&entry, 1, 10_000) == 1, "the descriptor is closed")
        close(pipe.write)
        try await service.close()
    }
}
