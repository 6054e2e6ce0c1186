import Model
import Testing

struct RuntimePathsTests {
    private func path(_ explicit: String? = nil, _ environment: [String: String] = [:], uid: UInt32 = 1000) -> String {
        RuntimePaths(explicit: explicit, environment: environment, uid: uid).controlSocket
    }

    @Test func theStrongestNameWins() {
        let all = [
            "WSD_SOCKET": "/w", "RUNTIME_DIRECTORY": "/run/a:/run/b", "XDG_RUNTIME_DIR": "/run/user/1", "TMPDIR": "/t/",
        ]
        #expect(path("/x", all) == "/x")
        #expect(path(nil, all) == "/w")
        #expect(path(nil, all.filter { $0.key != "WSD_SOCKET" }) == "/run/a/control.sock")
        #expect(path(nil, ["XDG_RUNTIME_DIR": "/run/user/1"], uid: 0) == "/run/wsd/control.sock")
        #expect(path(nil, ["XDG_RUNTIME_DIR": "/run/user/1"]) == "/run/user/1/wsd/control.sock")
        #expect(path(nil, ["XDG_RUNTIME_DIR": "", "TMPDIR": "/t/"]) == "/t/wsd-1000/control.sock")
        #expect(path(nil, ["XDG_RUNTIME_DIR": "relative"]) == "/tmp/wsd-1000/control.sock")
    }

    @Test func whatGoesWithASocket() {
        let system = RuntimePaths(explicit: nil, environment: [:], uid: 0)
        #expect(system.directory == "/run/wsd" && system.directoryMode == 0o755)
        #expect(system.hubSocket == "/run/wsd/control.sock.d/hub")
        let user = RuntimePaths(explicit: nil, environment: [:], uid: 7)
        #expect(user.origin == .temporary && user.directoryMode == 0o700)
        #expect(RuntimePaths(controlSocket: "/c", origin: .chosen).directory == "/")
        #expect(RuntimePaths(controlSocket: "c", origin: .chosen).directory == ".")
    }

    @Test func clientsTryTheSystemsServiceLast() {
        func candidates(_ explicit: String?, uid: UInt32) -> [String] {
            RuntimePaths.candidates(explicit: explicit, environment: [:], uid: uid)
        }
        #expect(candidates(nil, uid: 7) == ["/tmp/wsd-7/control.sock", "/run/wsd/control.sock"])
        #expect(candidates(nil, uid: 0) == ["/run/wsd/control.sock"])
        #expect(candidates("/x", uid: 7) == ["/x"])
    }
}
