import ControlClient
import Testing
import Wire

@testable import wsctl

@Suite struct ControlClientErrorTests {
    private static let start = "Start it with `wsd`, or `systemctl start wsd` where it is installed as a service."

    @Test func saysHowToStart() {
        let error = ControlClientError.notRunning([
            SocketAttempt(path: "/run/user/1000/wsd/control.sock", outcome: .absent),
            SocketAttempt(path: "/run/wsd/control.sock", outcome: .absent),
        ])
        #expect(
            error.description == """
                wsd is not running (no control socket at /run/user/1000/wsd/control.sock, nor at /run/wsd/control.sock). \
                \(Self.start) If it runs with a socket elsewhere, name that with --socket or WSD_SOCKET.
                """)
    }

    @Test func saysThatASocketIsStale() {
        let error = ControlClientError.notRunning([
            SocketAttempt(path: "/tmp/a", outcome: .absent),
            SocketAttempt(path: "/run/wsd/control.sock", outcome: .stale),
        ])
        #expect(
            error.description == """
                wsd is not running: /run/wsd/control.sock was left behind by one that ended without clearing up; nobody \
                listens on it. \(Self.start) It replaces the file by itself.
                """)
    }

    @Test func saysWhichGroupMay() {
        let owner = SocketOwner(user: "wsd", group: "wsd-admin", mode: 0o660)
        let attempt = SocketAttempt(path: "/run/wsd/control.sock", outcome: .forbidden(owner))
        #expect(
            ControlClientError.notAllowed(attempt, user: "alice").description == """
                You (alice) may not use this wsd: /run/wsd/control.sock belongs to user wsd and group wsd-admin. Use that \
                user or root (sudo), or have yourself added to the group (sudo usermod -aG wsd-admin alice) and log in again.
                """)
    }

    @Test func suggestsAGroupWhereThereIsNone() {
        let owner = SocketOwner(user: "root", group: "root", mode: 0o660)
        let attempt = SocketAttempt(path: "/run/wsd/control.sock", outcome: .forbidden(owner))
        #expect(
            ControlClientError.notAllowed(attempt, user: "alice").description == """
                You (alice) may not use this wsd: /run/wsd/control.sock belongs to user root and group root. Use that user \
                or root (sudo), or set control.group in wsd.yaml to a group of yours and restart wsd.
                """)
    }

    @Test func saysThatADirectoryIsClosed() {
        let attempt = SocketAttempt(path: "/run/user/7/wsd/control.sock", outcome: .forbidden(nil))
        #expect(
            ControlClientError.notAllowed(attempt, user: "alice").description == """
                You (alice) may not reach /run/user/7/wsd/control.sock: a directory on the way is closed to you. Use the \
                user that wsd runs as, or root (sudo).
                """)
    }

    @Test func exitStatusesFollowTheTable() {
        func refused(_ status: Int, _ code: String) -> CommandStatus {
            CommandStatus(ControlClientError.refused(status: status, ControlError(code: code, message: "")))
        }
        #expect(CommandStatus(ControlClientError.notRunning([])).rawValue == 3)
        #expect(
            CommandStatus(.notAllowed(SocketAttempt(path: "/a", outcome: .forbidden(nil)), user: "a")).rawValue == 4)
        #expect(CommandStatus(ControlClientError.cutOff).rawValue == 6)
        #expect(CommandStatus(ControlClientError.noAnswer(path: "/a", seconds: 10)).rawValue == 6)
        #expect(refused(400, "bad_request").rawValue == 2)
        #expect(refused(404, "not_found").rawValue == 2)
        #expect(refused(422, "configuration").rawValue == 2)
        #expect(refused(403, "forbidden").rawValue == 4)
        #expect(refused(409, "busy").rawValue == 5)
        #expect(refused(503, "unavailable").rawValue == 6)
    }
}
