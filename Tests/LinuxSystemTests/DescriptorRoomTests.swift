import Testing

@testable import LinuxSystem

struct DescriptorRoomTests {
    @Test func someDescriptorsAreLeft() throws {
        try DescriptorRoom.check(limit: .max)
        // The standard streams are open.
        let error = #expect(throws: DescriptorRoom.Shortage.self) { try DescriptorRoom.check(limit: 3) }
        #expect(
            error?.description.hasSuffix(
                "of the 3 descriptors of wsd are used up: raise LimitNOFILE= of its unit, or `ulimit -n` before it is started"
            ) == true)
    }
}
