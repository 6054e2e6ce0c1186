import CLinux
import Glibc
import Testing

@testable import LinuxSystem

struct FleetBoardTests {
    @Test func theMeanIsOverTheLiving() throws {
        let board = try FleetBoard()
        #expect(board.meanOfLiving() == 0)
        let first = try #require(board.claim(slot: 1, instance: 1))
        let second = try #require(board.claim(slot: FleetBoard.maxSlots, instance: 2))
        first.setConnections(10)
        second.setConnections(30)
        #expect(board.meanOfLiving() == 20)
        board.clear(slot: 1, instance: 1)
        #expect(board.meanOfLiving() == 30)
        second.release()
        #expect(board.sumOfLiving() == (0, 0))
    }

    @Test func aProcessSeesTheBoardOfAnother() throws {
        let board = try FleetBoard()
        let other = try FleetBoard(adopting: dup(board.descriptor))
        let cell = try #require(other.claim(slot: 3, instance: 9))
        cell.setConnections(5)
        cell.setLastTurn(1234)
        #expect(board.figures(slot: 3) == FleetFigures(connections: 5, lastTurn: 1234))
        #expect(board.figures(slot: 2) == nil)
    }

    @Test func onlyTheOwnerOfACellCounts() throws {
        let board = try FleetBoard()
        let old = try #require(board.claim(slot: 1, instance: 1))
        old.setConnections(100)
        let new = try #require(board.claim(slot: 1, instance: 2))
        #expect(board.meanOfLiving() == 0)
        new.setConnections(3)
        old.setConnections(99)
        old.release()
        board.clear(slot: 1, instance: 1)
        #expect(board.meanOfLiving() == 3)
    }

    @Test func slotsAndFiguresOutOfBoundsDoNoHarm() throws {
        let board = try FleetBoard()
        #expect(board.claim(slot: 0, instance: 1) == nil)
        #expect(board.claim(slot: FleetBoard.maxSlots + 1, instance: 1) == nil)
        #expect(board.claim(slot: 1, instance: 0) == nil)
        board.clear(slot: -1, instance: 1)
        let cell = try #require(board.claim(slot: 1, instance: 1))
        cell.setConnections(-5)
        #expect(board.meanOfLiving() == 0)
        cell.setConnections(.max)
        #expect(board.meanOfLiving() <= 1_073_741_824)
    }

    @Test func theMemoryFileKeepsItsSize() throws {
        let board = try FleetBoard()
        #expect(ftruncate(board.descriptor, 0) == -1)
        let small = wsd_memfd("small", 64)
        #expect(throws: SystemError.self) { try FleetBoard(adopting: small) }
        #expect(fcntl(small, F_GETFD) == -1, "owned also when it throws")
    }
}
