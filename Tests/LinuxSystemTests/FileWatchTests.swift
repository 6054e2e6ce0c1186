import Glibc
import Testing

@testable import LinuxSystem

struct FileWatchTests {
    /// Changes until one of a path has been told; the kernel tells each as soon as it has happened.
    private static func changes(_ watch: FileWatch, until path: String) throws -> Set<String> {
        var seen: Set<String> = []
        for _ in 0..<1000 {
            var entry = pollfd(fd: watch.descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 5_000) == 1 else { throw TestFailure("no change of \(path): \(seen)") }
            seen.formUnion(watch.changes())
            if seen.contains(path) { return seen }
        }
        throw TestFailure("no change of \(path) among \(seen)")
    }

    /// What has been told once a file that ends it is.
    private static func changes(_ watch: FileWatch, in directory: TemporaryDirectory) throws -> Set<String> {
        try write("end", to: directory.file("end"))
        var seen = try changes(watch, until: "end")
        seen.remove("end")
        return seen
    }

    private static func write(_ text: String, to path: String) throws {
        guard let file = fopen(path, "w") else { throw TestFailure("\(path): \(errno)") }
        fputs(text, file)
        fclose(file)
    }

    private static func project() throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        for folder in ["src", "src/deep", "node_modules", "dist"] { mkdir(directory.file(folder), 0o755) }
        try write("1", to: directory.file("src/app.js"))
        try write("1", to: directory.file("src/deep/part.js"))
        return directory
    }

    @Test func writesSavesByRenameAndRemovals() throws {
        let directory = try Self.project()
        let watch = try FileWatch(["."], base: directory.path)
        #expect(watch.changes().isEmpty)
        try Self.write("2", to: directory.file("src/app.js"))
        #expect(try Self.changes(watch, in: directory) == ["src/app.js"])
        try Self.write("3", to: directory.file("src/deep/part.js.new"))
        rename(directory.file("src/deep/part.js.new"), directory.file("src/deep/part.js"))
        #expect(try Self.changes(watch, in: directory) == ["src/deep/part.js.new", "src/deep/part.js"])
        unlink(directory.file("src/app.js"))
        #expect(try Self.changes(watch, in: directory) == ["src/app.js"])
        // Reading is no change.
        #expect(ProcFile.text(directory.file("src/deep/part.js")) == "3")
        #expect(try Self.changes(watch, in: directory).isEmpty)
        #expect(watch.problem == nil)
    }

    @Test func foldersThatComeAreWatchedWithAllInThem() throws {
        let directory = try Self.project()
        let elsewhere = try TemporaryDirectory()
        let watch = try FileWatch(["src"], base: directory.path)
        mkdir(directory.file("src/new"), 0o755)
        mkdir(directory.file("src/new/inner"), 0o755)
        try Self.write("1", to: directory.file("src/new/inner/early.js"))
        #expect(try Self.changes(watch, until: "src/new").isSubset(of: ["src/new", "src/new/inner"]))
        try Self.write("2", to: directory.file("src/new/inner/early.js"))
        _ = try Self.changes(watch, until: "src/new/inner/early.js")
        mkdir(elsewhere.file("moved"), 0o755)
        rename(elsewhere.file("moved"), directory.file("src/moved"))
        _ = try Self.changes(watch, until: "src/moved")
        try Self.write("1", to: directory.file("src/moved/late.js"))
        _ = try Self.changes(watch, until: "src/moved/late.js")
    }

    @Test func aFolderThatGoesIsWatchedWhereItComesAndNowhereElse() throws {
        let directory = try Self.project()
        let elsewhere = try TemporaryDirectory()
        let watch = try FileWatch(["."], base: directory.path)
        let before = watch.folders.count
        rename(directory.file("src/deep"), directory.file("other"))
        #expect(try Self.changes(watch, in: directory) == ["src/deep", "other"])
        try Self.write("2", to: directory.file("other/part.js"))
        #expect(try Self.changes(watch, in: directory) == ["other/part.js"])
        #expect(watch.folders.count == before)
        rename(directory.file("src"), elsewhere.file("gone"))
        #expect(try Self.changes(watch, in: directory) == ["src"])
        try Self.write("2", to: elsewhere.file("gone/app.js"))
        #expect(try Self.changes(watch, in: directory).isEmpty)
        #expect(watch.folders.count == before - 1)
    }

    @Test func whatIsIgnoredIsNotEvenWatched() throws {
        let directory = try Self.project()
        mkdir(directory.file("src/dist"), 0o755)
        let watch = try FileWatch(["."], base: directory.path, ignore: ["dist/**", "*.tmp", "src/deep"])
        try Self.write("1", to: directory.file("node_modules/x.js"))
        try Self.write("1", to: directory.file("dist/app.js"))
        try Self.write("1", to: directory.file("src/deep/part.js"))
        try Self.write("1", to: directory.file("src/.app.js.swp"))
        try Self.write("1", to: directory.file("src/a.tmp"))
        mkdir(directory.file("src/node_modules"), 0o755)
        try Self.write("1", to: directory.file("src/dist/app.js"))
        #expect(try Self.changes(watch, in: directory) == ["src/dist/app.js"])
        #expect(!watch.folders.values.contains { $0.path.contains("node_modules") || $0.path.hasSuffix("deep") })
        // Named itself, it is meant; and patterns count from the folder that is named as well.
        let named = try FileWatch(["node_modules", "end"], base: directory.path, ignore: ["x.js"])
        try Self.write("2", to: directory.file("node_modules/x.js"))
        try Self.write("2", to: directory.file("node_modules/y.js"))
        #expect(try Self.changes(named, in: directory) == ["node_modules/y.js"])
    }

    @Test func oneFileIsWatchedThroughReplacements() throws {
        let directory = try Self.project()
        let file = directory.file("src/app.js")
        let watch = try FileWatch([file, "./src/app.js", "src/deep"], base: directory.path)
        try Self.write("2", to: directory.file("src/other.js"))
        try Self.write("0", to: file)
        #expect(try Self.changes(watch, until: "src/app.js") == ["src/app.js"])
        for round in 0..<3 {
            try Self.write("\(round)", to: file + ".new")
            rename(file + ".new", file)
            #expect(try Self.changes(watch, until: "src/app.js") == ["src/app.js"])
        }
        unlink(file)
        #expect(try Self.changes(watch, until: "src/app.js") == ["src/app.js"])
        try Self.write("4", to: file)
        #expect(try Self.changes(watch, until: "src/app.js") == ["src/app.js"])
    }

    @Test func aFolderThatIsReplacedIsWatchedAgain() throws {
        let directory = try Self.project()
        let watch = try FileWatch(["src/deep"], base: directory.path)
        rename(directory.file("src/deep"), directory.file("src/old"))
        #expect(try Self.changes(watch, until: "src/deep") == ["src/deep"])
        mkdir(directory.file("src/deep"), 0o755)
        #expect(try Self.changes(watch, until: "src/deep") == ["src/deep"])
        try Self.write("1", to: directory.file("src/deep/again.js"))
        #expect(try Self.changes(watch, until: "src/deep/again.js") == ["src/deep/again.js"])
        // Its own folder is moved away: there is nothing left to tell of its coming.
        rename(directory.file("src"), directory.file("away"))
        var entry = pollfd(fd: watch.descriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 5_000) == 1)
        _ = watch.changes()
        #expect(watch.isBlind)
        #expect(watch.retry().isEmpty)
        #expect(watch.isBlind)
        mkdir(directory.file("src"), 0o755)
        mkdir(directory.file("src/deep"), 0o755)
        #expect(watch.retry() == ["src/deep"])
        #expect(!watch.isBlind)
        try Self.write("1", to: directory.file("src/deep/at.last"))
        #expect(try Self.changes(watch, until: "src/deep/at.last") == ["src/deep/at.last"])
    }

    @Test func aLinkIsFollowedWhereItIsNamedOnly() throws {
        let directory = try Self.project()
        let elsewhere = try TemporaryDirectory()
        for release in ["one", "two"] { mkdir(elsewhere.file(release), 0o755) }
        symlink(elsewhere.file("one"), directory.file("current"))
        symlink(elsewhere.file("one"), directory.file("src/link"))
        let watch = try FileWatch(["current", "src"], base: directory.path)
        try Self.write("1", to: elsewhere.file("one/app.js"))
        #expect(try Self.changes(watch, until: "current/app.js") == ["current/app.js"])
        symlink(elsewhere.file("two"), directory.file("next"))
        rename(directory.file("next"), directory.file("current"))
        #expect(try Self.changes(watch, until: "current") == ["current"])
        try Self.write("1", to: elsewhere.file("one/app.js"))
        try Self.write("1", to: elsewhere.file("two/app.js"))
        #expect(try Self.changes(watch, until: "current/app.js") == ["current/app.js"])
        #expect(!watch.folders.values.contains { $0.path.contains("link") })
        #expect(watch.folders.values.filter { $0.path.hasPrefix(directory.file("current")) }.count == 1)
    }

    @Test func whatCannotBeWatchedIsSaid() throws {
        let directory = try Self.project()
        let missing = #expect(throws: FileWatchError.self) { try FileWatch(["src", "lib"], base: directory.path) }
        #expect(missing?.description == "\(directory.path)/lib is to be watched, but there is no such file or folder")
        let watch = try FileWatch(["."], base: directory.path, limit: 3)
        #expect(watch.folders.count == 3)
        #expect(watch.problem?.hasPrefix("More than 3 folders are to be watched, from \(directory.path)/") == true)
    }

    @Test func lostEventsCountAsAChangeOfEverything() throws {
        let directory = try Self.project()
        let watch = try FileWatch(["src"], base: directory.path)
        mkdir(directory.file("src/unseen"), 0o755)
        var drop = [UInt8](repeating: 0, count: 4096)
        #expect(read(watch.descriptor, &drop, drop.count) > 0)
        // Watch, mask, cookie and length of the name (inotify(7)).
        let overflow = [-1, Int32(IN_Q_OVERFLOW), 0, 0]
        #expect(overflow.withUnsafeBytes { watch.take($0) } == ["src"])
        try Self.write("1", to: directory.file("src/unseen/a.js"))
        #expect(try Self.changes(watch, until: "src/unseen/a.js") == ["src/unseen/a.js"])
    }

    @Test(
        arguments: [
            ("node_modules", "a/node_modules/b/c.js", true),
            ("node_modules", "a/my_node_modules/c.js", false),
            ("dist/", "a/dist/c.js", true),
            ("dist/**", "dist", true),
            ("dist/**", "dist/a/b", true),
            ("dist/**", "a/dist/b", false),
            ("/dist", "dist/a", true),
            ("/dist", "a/dist", false),
            ("./dist", "dist/a", true),
            ("**/dist", "a/b/dist/c", true),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z/d", true),
            ("a/**/z", "a/b/c", false),
            ("**", "a", true),
            ("*.log", "a/b.log", true),
            ("*.log", "a/b.log.js", false),
            ("src/*.js", "src/a.js", true),
            ("src/*.js", "src/b/a.js", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]x]", "]", true),
            ("[x", "[x", true),
            ("\\*", "a", false),
            ("\\*", "*", true),
            ("#*#", "#app.js#", true),
            ("*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("", "a", false),
            ("/", "a", false),
        ])
    func patterns(pattern: String, path: String, matches: Bool) {
        #expect(GlobPattern(pattern).matches(path.split(separator: "/").map(String.init)) == matches)
    }
}
