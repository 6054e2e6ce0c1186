import Model
import Testing

@Suite struct IdentifierTests {
    @Test(
        arguments: [
            (0, 0, "0-0"), (31, 32, "z-10"), (UInt64.max, UInt64.max, "fzzzzzzzzzzzz-fzzzzzzzzzzzz"), (1, 1023, "1-zz"),
        ] as [(UInt64, UInt64, String)])
    func clientTextForms(boot: UInt64, serial: UInt64, text: String) {
        let client = ClientID(boot: BootID(rawValue: boot), serial: serial)
        #expect(client.description == text)
        #expect(ClientID(text) == client)
    }

    @Test(arguments: [
        "", "-", "1", "1-", "-1", "1-2-3", "1-i", "1-l", "1-o", "1-u", "1-A", "1 -2", "1-é", "--",
        "g0000000000000-1", "zzzzzzzzzzzzz-1",
    ])
    func textsThatAreNoClient(text: String) {
        #expect(ClientID(text) == nil)
    }

    @Test func slotsSortHubFirst() {
        let slots: [SlotID] = [.worker(10), .worker(2), .hub]
        #expect(slots.sorted() == [.hub, .worker(2), .worker(10)])
        #expect(slots.map(\.description) == ["worker 10", "worker 2", "hub"])
    }
}
