import Glibc

/// Keeps the input that ends the program in a file, also when it ends by a trap, or hangs.
enum CrashReport {
    /// Longest time for one input, seconds.
    private static let patience: UInt32 = 10

    nonisolated(unsafe) private static var path: UnsafeMutablePointer<CChar>?
    nonisolated(unsafe) private static var input: UnsafePointer<UInt8>?
    nonisolated(unsafe) private static var count = 0

    /// - Parameter prefix: of the file's path; the process's number follows.
    static func begin(prefix: String) {
        path = strdup("\(prefix)\(getpid())")
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM] {
            // Only what signal-safety(7) allows: the memory is what it is at that moment.
            signal(number) { number in
                CrashReport.save()
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    static func run(_ target: FuzzTarget, _ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { buffer in
            input = buffer.baseAddress
            count = buffer.count
            alarm(patience)
            target.run(bytes)
            input = nil
        }
        alarm(0)
    }

    private static func save() {
        guard let path, let input else { return }
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard file >= 0 else { return }
        _ = write(file, input, count)
        close(file)
        let words: StaticString = "wsd-fuzz: the input that ended it is in "
        _ = write(2, words.utf8Start, words.utf8CodeUnitCount)
        _ = write(2, path, strlen(path))
        _ = write(2, "\n", 1)
    }
}
