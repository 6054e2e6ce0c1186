import ArgumentParser

/// libFuzzer, which sees what each input reaches. In a build with `-DLIBFUZZER` and the instrumentation alone.
struct CoverageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cover", abstract: "Runs one target under libFuzzer, if this build has it.")

    @Argument var target: FuzzTarget
    @Argument(parsing: .captureForPassthrough, help: "libFuzzer's flags and folders.") var flags: [String] = []

    #if LIBFUZZER
        nonisolated(unsafe) private static var running: FuzzTarget?

        func run() throws {
            Self.running = target
            // libFuzzer begins commands for a shell with its first argument, where it starts itself again (`-merge`, `-jobs`).
            let program = realpath("/proc/self/exe", nil).map { String(cString: $0) } ?? "wsd-fuzz"
            var arguments = (["\(program) cover \(target.rawValue)"] + flags).map { strdup($0) } + [nil]
            var count = CInt(arguments.count - 1)
            let status = arguments.withUnsafeMutableBufferPointer { list in
                var start = list.baseAddress
                return runDriver(&count, &start) { bytes, length in
                    CoverageCommand.running?.run(Array(UnsafeBufferPointer(start: bytes, count: length)))
                    return 0
                }
            }
            throw ExitCode(status)
        }
    #else
        func run() throws {
            throw ValidationError("This build is without libFuzzer. Run `scripts/fuzz`, which makes one that has it.")
        }
    #endif
}

#if LIBFUZZER
    import Glibc

    /// FuzzerInterface.h; of `libclang_rt.fuzzer_no_main`.
    @_silgen_name("LLVMFuzzerRunDriver")
    private func runDriver(
        _ count: UnsafeMutablePointer<CInt>,
        _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
        _ run: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
    ) -> CInt
#endif
