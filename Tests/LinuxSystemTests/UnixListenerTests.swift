import CLinux
import Glibc
import Model
import Testing

@testable import LinuxSystem

struct UnixListenerTests {
    @Test func oneProcessAtATimeHoldsAPath() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("control.sock")
        let first = try UnixListener.bind(path: path, mode: 0o660, group: getegid())
        #expect(TemporaryDirectory.mode(of: path) == 0o660)
        let refused = #expect(throws: UnixListenerError.self) { try UnixListener.bind(path: path, mode: 0o660) }
        #expect(refused == .inUse(path: path, holder: .of(pid: getpid())))
        #expect(refused?.description.contains("pid \(getpid())") == true)
        first.close()
        #expect(TemporaryDirectory.mode(of: path) == 0)
        try UnixListener.bind(path: path, mode: 0o600).close()
    }

    @Test func aKilledHoldersSocketIsReplaced() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("control.sock")
        // What a killed process leaves: the files, and neither a lock nor anybody who listens.
        Descriptors.close(wsd_listen_unix(path, 1))
        Descriptors.close(open(path + ".lock", O_CREAT | O_WRONLY, 0o600))
        let listener = try UnixListener.bind(path: path, mode: 0o600)
        let client = wsd_connect_unix(path)
        #expect(client >= 0)
        Descriptors.close(client)
        listener.close()
    }

    @Test(arguments: [false, true])
    func aRemovedSocketIsRestored(withItsLock: Bool) throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("control.sock")
        let first = try UnixListener.bind(path: path, mode: 0o660)
        #expect(try first.restored()?.path == nil)
        unlink(path)
        if withItsLock { unlink(path + ".lock") }
        let restored = try #require(try first.restored())
        defer { restored.close() }
        Descriptors.close(first.descriptor)
        #expect(TemporaryDirectory.mode(of: path) == 0o660)
        let client = wsd_connect_unix(path)
        #expect(client >= 0)
        Descriptors.close(client)
        #expect(try restored.restored()?.path == nil)
        #expect(throws: UnixListenerError.inUse(path: path, holder: .of(pid: getpid()))) {
            try UnixListener.bind(path: path, mode: 0o660)
        }
    }

    @Test func aRemovedSocketThatAnotherHasTakenIsLeftToIt() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("control.sock")
        let first = try UnixListener.bind(path: path, mode: 0o660)
        unlink(path)
        unlink(path + ".lock")
        let second = try UnixListener.bind(path: path, mode: 0o660)
        #expect(throws: UnixListenerError.self) { try first.restored() }
        #expect(try second.restored()?.path == nil)
        first.close()
        second.close()
    }

    @Test func aLiveSocketWithoutALockIsRefused() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("control.sock")
        let other = wsd_listen_unix(path, 1)
        defer { Descriptors.close(other) }
        #expect(throws: UnixListenerError.inUse(path: path, holder: .of(pid: getpid()))) {
            try UnixListener.bind(path: path, mode: 0o600)
        }
    }

    @Test func whatCannotBeBoundIsSaid() {
        let long = "/tmp/" + String(repeating: "x", count: 120)
        #expect(throws: UnixListenerError.self) { try UnixListener.bind(path: long, mode: 0o600) }
        let failure = #expect(throws: UnixListenerError.self) {
            try UnixListener.bind(path: "/nonexistent/c.sock", mode: 0o600)
        }
        #expect(failure?.description == "Cannot open /nonexistent/c.sock.lock: No such file or directory")
    }

    @Test func thePeerIsKnown() throws {
        let directory = try TemporaryDirectory()
        let listener = try UnixListener.bind(path: directory.file("s"), mode: 0o600)
        defer { listener.close() }
        let client = wsd_connect_unix(listener.path)
        let server = accept(listener.descriptor, nil, nil)
        defer { for descriptor in [client, server] { Descriptors.close(descriptor) } }
        let peer = try PeerCredentials.of(server)
        #expect(peer.pid == getpid())
        #expect(peer.uid == geteuid())
        #expect(peer.gid == getegid())
        var groups = [gid_t](repeating: 0, count: 256)
        let count = getgroups(256, &groups)
        #expect(Set(peer.groups) == Set(groups.prefix(Int(count))))
        #expect(peer.isMember(ofGroup: getegid()))
        #expect(!peer.isMember(ofGroup: 4_000_000_000))
        #expect(throws: SystemError.self) { try PeerCredentials.of(-1) }
    }

    @Test func groupsHaveNumbers() {
        #expect(UserGroups.id(ofGroup: "root") == 0)
        #expect(UserGroups.id(ofGroup: "27") == 27)
        #expect(UserGroups.id(ofGroup: "no such group") == nil)
    }

    @Test func runtimeDirectoriesAreMadeAndChecked() throws {
        let directory = try TemporaryDirectory()
        let paths = RuntimePaths(controlSocket: directory.file("run/control.sock"), origin: .temporary)
        try RuntimeDirectory.prepare(paths)
        #expect(TemporaryDirectory.mode(of: paths.directory) == 0o700)
        #expect(TemporaryDirectory.mode(of: paths.privateDirectory) == 0o700)
        chmod(paths.directory, 0o777)
        try RuntimeDirectory.prepare(paths)
        #expect(TemporaryDirectory.mode(of: paths.directory) == 0o700)
    }

    @Test func aSymbolicLinkIsNoRuntimeDirectory() throws {
        let directory = try TemporaryDirectory()
        mkdir(directory.file("elsewhere"), 0o700)
        symlink(directory.file("elsewhere"), directory.file("run"))
        let paths = RuntimePaths(controlSocket: directory.file("run/control.sock"), origin: .temporary)
        #expect(throws: RuntimeDirectoryError.notADirectory(directory.file("run"))) {
            try RuntimeDirectory.prepare(paths)
        }
    }

    @Test(.enabled(if: geteuid() == 0)) func anotherUsersDirectoryIsRefused() throws {
        let directory = try TemporaryDirectory()
        mkdir(directory.file("run"), 0o700)
        chown(directory.file("run"), 12345, 12345)
        let paths = RuntimePaths(controlSocket: directory.file("run/control.sock"), origin: .temporary)
        #expect(throws: RuntimeDirectoryError.foreign(directory.file("run"), owner: 12345)) {
            try RuntimeDirectory.prepare(paths)
        }
    }
}
