import Glibc
import Testing

@testable import LinuxSystem

extension ProcessTests {
    struct ProcessTableReaderTests {
        @Test func whatIsKnownOrNewIsReadAndNothingElse() throws {
            let child = try Shell.spawn("exec sleep 1000")
            defer {
                kill(child.pid, SIGKILL)
                _ = try? Shell.wait(child)
            }
            var reader = ProcessTableReader()
            // The first look is at everything.
            let first = reader.read(known: [], lastPid: child.pid - 1)
            #expect(first.entries[getpid()] != nil && first.hasNew)
            // Its pid has been given out since: twice it is looked for.
            for _ in 1...2 {
                let new = reader.read(known: [], lastPid: child.pid)
                #expect(Array(new.entries.keys) == [child.pid] && new.children[getpid()] == [child.pid] && new.hasNew)
            }
            let none = reader.read(known: [], lastPid: child.pid)
            #expect(none.entries.isEmpty && !none.hasNew)
            let known = reader.read(known: [child.pid], lastPid: child.pid)
            #expect(Array(known.entries.keys) == [child.pid] && !known.hasNew)
        }

        @Test func aThreadIsNoProcess() throws {
            var own: [Int32] = []
            let directory = try #require(opendir("/proc/self/task"))
            while let entry = readdir(directory) { Int32(ProcFile.name(of: entry)).map { own.append($0) } }
            closedir(directory)
            let thread = try #require(own.first { $0 != getpid() && ProcessTable.entry(of: $0) != nil })
            var reader = ProcessTableReader()
            _ = reader.read(known: [], lastPid: thread - 1)
            #expect(reader.read(known: [], lastPid: thread).entries.isEmpty)
        }

        @Test func everythingIsReadNowAndThenAndWhenMuchIsNew() throws {
            func isWhole(_ table: ProcessTable) -> Bool { table.entries[getpid()] != nil && table.hasNew }
            var reader = ProcessTableReader()
            let base = getpid() + 10_000_000
            for _ in 1...2 {
                #expect(isWhole(reader.read(known: [], lastPid: base)))
                for _ in 2...ProcessTableReader.wholeInterval {
                    #expect(!isWhole(reader.read(known: [], lastPid: base)))
                }
            }
            #expect(isWhole(reader.read(known: [], lastPid: base)))
            #expect(isWhole(reader.read(known: [], lastPid: base + Int32(ProcessTableReader.maxNewPids) + 1)))
            // They begin anew at the highest, and for two looks it is not known where.
            for _ in 1...2 { #expect(isWhole(reader.read(known: [], lastPid: 300))) }
            #expect(!isWhole(reader.read(known: [], lastPid: 300)))
            #expect(isWhole(reader.read(known: [], lastPid: nil)))
            #expect(try #require(ProcessTableReader.lastPid()) > 0)
        }
    }
}
