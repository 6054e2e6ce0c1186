import HTTPTypes
import Testing

@testable import Supervisor

struct ControlAccessTests {
    private func access(_ uid: UInt32?, _ groups: [UInt32] = [], group: UInt32? = nil, readOnly: Bool = false)
        -> ControlAccess
    {
        ControlAccess(uid: uid, groups: groups, ownUID: 500, group: group, readOnlyOthers: readOnly)
    }

    @Test func rootAndTheOwnUserMayDoEverything() {
        #expect(access(0) == .full)
        #expect(access(500) == .full)
        #expect(access(501) == .none)
    }

    @Test func membersOfTheGroupMayDoEverything() {
        #expect(access(501, [20, 30], group: 30) == .full)
        #expect(access(501, [20], group: 30) == .none)
        #expect(access(501, [30], group: nil) == .none)
    }

    @Test func othersMayLookWhereThatIsConfigured() {
        #expect(access(501, readOnly: true) == .readOnly)
        #expect(ControlAccess.readOnly.refusal(of: .get) == nil)
        #expect(ControlAccess.readOnly.refusal(of: .post)?.status == .forbidden)
        #expect(ControlAccess.none.refusal(of: .get)?.status == .forbidden)
        #expect(ControlAccess.full.refusal(of: .post) == nil)
    }

    @Test func whoIsNotKnownIsNotTrusted() {
        #expect(access(nil, [0], group: 0) == .none)
        #expect(access(nil, readOnly: true) == .readOnly)
    }
}
